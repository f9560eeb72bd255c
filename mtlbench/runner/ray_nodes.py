"""The machines of a Ray cluster while a run lasts, and whether the cluster's head still answers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import ray

from ..core.errors import MtlbenchError
from ..core.trial import Trial

PERIOD = 2.0  # seconds between two looks at the cluster
SILENCE = 20.0  # seconds without an answer after which the head counts as lost; Ray itself would end the process at 60
DESERTED = 60.0  # seconds to wait for a machine that can hold a trial, once the last one has gone
_AWAY = 5.0  # seconds between two checks after which this process had been stopped itself, and heard nothing

_MEND = "finished trials are kept; the same command goes on from here"


class ClusterLostError(MtlbenchError):
    """The cluster went away while trials ran."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again later


@dataclass(frozen=True)
class Node:
    """What one machine of the cluster offers."""

    id: str
    cpus: int
    gpus: int

    def fits(self, trial: Trial) -> bool:
        """Whether the trial could run on this node at all."""
        resources = trial.labels.resources
        return bool(resources["cpus"] <= self.cpus and resources["gpus"] <= self.gpus)


def alive() -> tuple[Node, ...]:
    """The nodes that Ray's head counts as alive. Waits as long as the head does not answer."""
    return tuple(
        Node(node["NodeID"], int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    )


class Nodes:
    """The living nodes, looked at from a thread of its own, since the question blocks while the head is away."""

    def __init__(self, look: Callable[[], Sequence[Node]]) -> None:
        self.alive: Sequence[Node] = look()
        self._look = look
        self._answers = self._seen = 0
        self._heard = self._checked = time.monotonic()
        self._deserted: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mtlbench-nodes", daemon=True)

    @contextlib.contextmanager
    def watched(self) -> Iterator[Nodes]:
        """Keep the list up to date within this block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._done.set()
            self._thread.join(timeout=1.0)  # where the head is away, it never ends

    def _watch(self) -> None:
        while not self._done.wait(PERIOD):
            with contextlib.suppress(Exception):  # whatever it is, the head did not answer
                self.alive = self._look()
                self._answers += 1

    def check(self) -> None:
        """Raises ClusterLostError where the head has been silent for too long. To be called every second or so: time in
        which this process itself was stopped (Ctrl-Z) is no silence.
        """
        now = time.monotonic()
        if self._answers != self._seen or now - self._checked > _AWAY:
            self._seen, self._heard = self._answers, now
        self._checked = now
        if now - self._heard > SILENCE:
            raise ClusterLostError(f"stopped: Ray's head (GCS) has not answered for {SILENCE:.0f} s; {_MEND}")

    def wait_for_one_that_fits(self, trial: Trial) -> None:
        """To be called every second or so while nothing runs. Raises ClusterLostError where no living node could hold
        the trial for too long.
        """
        now = time.monotonic()
        if any(node.fits(trial) for node in self.alive):
            self._deserted = None
        elif self._deserted is None:
            self._deserted = now
        elif now - self._deserted > DESERTED:
            raise ClusterLostError(
                f"stopped: for {DESERTED:.0f} s no node has been left that can hold {trial.title}; {_MEND}"
            )
