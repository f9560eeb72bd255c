"""Trials as Ray Core tasks, on this machine or on a cluster. Only the files ray_*.py know Ray.

Trials whose throughput counts run first, one at a time on each node; the others then share the CPUs. Ray's own retries
are off: a lost worker is retried here, so that every attempt is on record. A bounded window of tasks is in flight.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..core.errors import UnavailableError
from ..core.record import Result
from ..core.statuses import LOST, TIMEOUT
from ..core.trial import Trial, trial_from_json
from ..measure.memory import peak_of
from .agreement import Expected
from .events import Event, ExpectedOf, Finished, Started, TrunkOf
from .ray_cluster import cluster
from .ray_losses import last_words, result_of
from .ray_nodes import Node, Nodes

RETRIES = 2  # further attempts after a worker or its node is lost
GRACE = 60.0  # seconds past its timeout before a trial that does not stop by itself is killed
QUEUE = 900.0  # seconds for a trial to begin; other people's work on a cluster may keep it waiting


class Began(NamedTuple):
    """What a worker says before it runs a trial: where it is."""

    node: str
    pid: int


@dataclass(frozen=True)
class Flight:
    """A task that was handed to Ray. Its time runs from ``began``, when its worker said so, in seconds of this clock;
    None before. ``peak`` is the most memory that the worker was seen to take, in bytes.
    """

    trial: Trial
    attempt: int
    node: Node | None  # the node it has to itself
    since: float
    began: float | None = None
    pid: int = 0  # of its worker
    here: bool = False  # whether the worker is on this machine
    peak: int = 0

    def overdue(self, now: float) -> Result | None:
        """What to record of a task that should have stopped by itself, or should have started long ago."""
        timeout: float = self.trial.labels.resources["timeout"]
        if self.began is not None and now - self.began > timeout + GRACE:
            error = f"timeout: still running {GRACE:.0f} s after its limit of {timeout:.0f} s"
            return Result(TIMEOUT, self.attempt, error=error, seconds=now - self.began, peak_memory=self.peak)
        if self.began is None and now - self.since > QUEUE:
            error = f"not started within {QUEUE:.0f} s after it was handed to Ray"
            return Result(LOST, self.attempt, error=error, seconds=now - self.since)
        return None


def run_on_ray(
    trials: Sequence[Trial],
    root: Path,
    attempts: Mapping[str, int],
    trunk_of: TrunkOf,
    expected_of: ExpectedOf,
    address: str | None,
    max_parallel: int | None,
    sent: Path | None = None,
) -> Iterator[Event]:
    """Run trials on Ray. ``attempts`` counts the attempts made before, by trial id; ``trunk_of`` gives the trunk that
    a trial starts from, ``expected_of`` what it was planned with. ``root`` is the suite's folder: on every node, or
    within the folder ``sent``, of which every node gets a copy.

    Raises UnavailableError if no node can hold some trial, before anything starts.
    """
    with cluster(address, sent) as nodes:
        _check_fit(trials, nodes.alive)
        pool = _Pool(root, attempts, trunk_of, expected_of, nodes, max_parallel)
        yield from pool.run([trial for trial in trials if trial.labels.exclusive], alone=True)
        yield from pool.run([trial for trial in trials if not trial.labels.exclusive], alone=False)


def _check_fit(trials: Sequence[Trial], nodes: Sequence[Node]) -> None:
    for trial in trials:
        needs = trial.labels.resources
        if not any(node.fits(trial) for node in nodes):
            have = ", ".join(f"{node.cpus} CPUs and {node.gpus} GPUs" for node in nodes)
            raise UnavailableError(
                f"{trial.title} needs {needs['cpus']} CPUs and {needs['gpus']} GPUs on one node; "
                f"Ray has {have or 'no node'}. Lower resources.cpus or resources.gpus, or join a larger cluster"
            )


class _Pool:
    """A bounded window of trials in flight."""

    def __init__(
        self,
        root: Path,
        attempts: Mapping[str, int],
        trunk_of: TrunkOf,
        expected_of: ExpectedOf,
        nodes: Nodes,
        max_parallel: int | None,
    ) -> None:
        self.root = root
        self.attempts = attempts
        self.trunk_of = trunk_of
        self.expected_of = expected_of
        self.nodes = nodes
        self.max_parallel = max_parallel
        self.flying: dict[Any, Flight] = {}  # by the stream of what its worker says
        self.measured = 0.0  # when memory was looked at last

    def run(self, trials: Sequence[Trial], alone: bool) -> Iterator[Event]:
        """Run these trials. What is in flight when the consumer stops listening ends with the shutdown that follows:
        cancelling it here as well can meet a trial that just ends, and Ray does not survive that.
        """
        waiting = deque((trial, self.attempts.get(trial.id, 0) + 1) for trial in trials)
        while waiting or self.flying:
            self.nodes.check()
            while waiting and self._has_room(waiting[0][0], alone):
                trial, attempt = waiting.popleft()
                self._submit(trial, attempt, alone)
                yield Started(trial)
            if waiting and not self.flying:
                self.nodes.wait_for_one_that_fits(waiting[0][0])
            for flight, result, trunk, lost in self._landed():
                tries = flight.attempt - self.attempts.get(flight.trial.id, 0)
                retried = lost and tries <= RETRIES
                if retried:
                    waiting.append((flight.trial, flight.attempt + 1))
                yield Finished(flight.trial, result, retried, trunk)

    def _free_node(self, trial: Trial) -> Node | None:
        taken = {flight.node for flight in self.flying.values()}
        return next((node for node in self.nodes.alive if node.fits(trial) and node not in taken), None)

    def _has_room(self, trial: Trial, alone: bool) -> bool:
        nodes = self.nodes.alive
        if len(self.flying) >= (self.max_parallel or sum(node.cpus for node in nodes)):
            return False
        if alone:
            return self._free_node(trial) is not None
        # No more than can start at once, so that trials wait here rather than in Ray's queue, where others may come by.
        flying = [flight.trial.labels.resources for flight in self.flying.values()]
        needs = (*flying, trial.labels.resources)
        cpus, gpus = (sum(float(need[kind]) for need in needs) for kind in ("cpus", "gpus"))
        return cpus <= sum(node.cpus for node in nodes) and gpus <= sum(node.gpus for node in nodes)

    def _submit(self, trial: Trial, attempt: int, alone: bool) -> None:
        node = self._free_node(trial) if alone else None
        options: dict[str, Any] = {
            "num_cpus": node.cpus if node else trial.labels.resources["cpus"],
            "num_gpus": trial.labels.resources["gpus"],
            "max_retries": 0,
            "num_returns": "streaming",  # that it began, then its result
        }
        if node:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node.id, soft=False)
        if not trial.labels.resources["gpus"] and any(node.gpus for node in self.nodes.alive):
            # Ray leaves every GPU visible to a task that asked for none.
            options["runtime_env"] = {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}
        task = _execute_and_exit if trial.kind == "kernel" else _execute
        reference = task.options(**options).remote(
            trial.to_json(), str(self.root), attempt, alone, self.trunk_of(trial), self.expected_of(trial)
        )
        self.flying[reference] = Flight(trial, attempt, node, time.monotonic())

    def _landed(self) -> Iterator[tuple[Flight, Result, bytes, bool]]:
        """Ended flights: (flight, result, trunk, whether the worker was lost rather than the trial wrong)."""
        if not self.flying:
            time.sleep(1.0)
            return
        streams: list[Any] = list(self.flying)
        ready: list[Any] = ray.wait(streams, num_returns=1, timeout=1.0)[0]
        now = time.monotonic()
        for stream in ready:
            flight = self.flying.pop(stream)
            try:
                told = ray.get(next(stream), timeout=GRACE)
            except Exception as error:
                words = last_words(flight.pid) if flight.here else ""
                seconds = now - (flight.began or flight.since)
                lost = not isinstance(error, RayTaskError)
                yield flight, result_of(error, flight.attempt, seconds, flight.peak, words, flight.pid), b"", lost
                continue
            if isinstance(told, Began):
                here = told.node == ray.get_runtime_context().get_node_id()
                self.flying[stream] = replace(flight, began=now, pid=told.pid, here=here)
            else:
                result, trunk = Result.from_json(told[0]), told[1]
                yield flight, result, trunk, result.status == LOST  # of its processes, where it has several
        yield from self._overdue(now)

    def _overdue(self, now: float) -> Iterator[tuple[Flight, Result, bytes, bool]]:
        """Flights that are given up, as of ``_landed``; of the others, how much memory they take."""
        measuring = now >= self.measured + 1
        self.measured = now if measuring else self.measured
        for stream, flight in list(self.flying.items()):
            if result := flight.overdue(now):
                del self.flying[stream]
                ray.cancel(stream, force=True)
                yield flight, result, b"", result.status == LOST
            elif flight.here and measuring:
                self.flying[stream] = replace(flight, peak=max(flight.peak, peak_of(flight.pid)))


def _run(
    trial: dict[str, Any], root: str, attempt: int, alone: bool, trunk: bytes, expected: Expected
) -> Iterator[Began | tuple[dict[str, Any], bytes]]:
    """Runs in a worker: plain JSON and a trunk's file in; out that it begins, and then the same kind of things."""
    from .checkpoints import Checkpoints
    from .trial import execute  # imports torch, which the driver does without

    parsed, checkpoints = trial_from_json(trial), Checkpoints(trunk)
    timeout = parsed.labels.resources.get("timeout")
    yield Began(ray.get_runtime_context().get_node_id(), os.getpid())
    result = execute(parsed, Path(root).absolute(), attempt, timeout, alone, checkpoints, expected)
    yield result.to_json(), checkpoints.outgoing


_execute = ray.remote(_run)
_execute_and_exit = ray.remote(max_calls=1)(_run)  # a process of its own
