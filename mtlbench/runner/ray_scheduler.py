"""Trials as Ray Core tasks, on this machine or on a cluster. The only file that knows Ray.

Trials whose throughput counts run first, one at a time on each node; the others then share the CPUs. Ray's own retries
are off: a lost worker is retried here, so that every attempt is on record. A bounded window of tasks is in flight.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..core.errors import UnavailableError
from ..core.record import Result
from ..core.trial import Trial, trial_from_json
from .agreement import Expected
from .events import Event, ExpectedOf, Finished, Started, TrunkOf
from .ranks import LOST

RETRIES = 2  # further attempts after a worker or its node is lost
GRACE = 60.0  # seconds past its timeout before a trial that does not stop by itself is killed
_STORE_BYTES = 128 * 1024**2  # results are small; Ray's default is 30 % of the machine's memory


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


@dataclass(frozen=True)
class Flight:
    """A task that was handed to Ray."""

    trial: Trial
    attempt: int
    node: Node | None  # the node it has to itself
    since: float

    @property
    def overdue(self) -> bool:
        """Whether it should have stopped by itself."""
        timeout: float = self.trial.labels.resources["timeout"]
        return time.monotonic() - self.since > timeout + GRACE


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[list[Node]]:
    """Join the cluster at ``address``, or start a local Ray on loopback, and list its nodes. Leaves or stops it."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    logging.getLogger("ray").setLevel(logging.ERROR)  # it comments on its own defaults
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            ray.init(address=address, **common)
        else:
            ray.init(
                address="local",
                num_cpus=os.cpu_count(),
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                **common,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UnavailableError(
            f"cannot start or join Ray{f' at {address}' if address else ''}: {error}; "
            "check --address, or use --executor serial"
        ) from error
    except SystemExit:  # Ray's own handler, while it starts
        if callable(on_sigterm):
            on_sigterm(signal.SIGTERM, None)
        raise
    try:
        if callable(on_sigterm) and threading.current_thread() is threading.main_thread():
            # Ray has put its own handlers there, which print a stack and lose the exit code.
            signal.signal(signal.SIGTERM, on_sigterm)
        yield [
            Node(node["NodeID"], int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
            for node in ray.nodes()  # type: ignore[no-untyped-call]
            if node["Alive"]
        ]
    finally:
        with _without_interrupts():
            ray.shutdown()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """A second Ctrl-C would leave Ray half down, and what is left would end the process with its own code."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def run_on_ray(
    trials: Sequence[Trial],
    root: Path,
    attempts: Mapping[str, int],
    trunk_of: TrunkOf,
    expected_of: ExpectedOf,
    address: str | None,
    max_parallel: int | None,
) -> Iterator[Event]:
    """Run trials on Ray. ``attempts`` counts the attempts made before, by trial id; ``trunk_of`` gives the trunk that
    a trial starts from, ``expected_of`` what it was planned with.

    Raises UnavailableError if no node can hold some trial, before anything starts.
    """
    with cluster(address) as nodes:
        _check_fit(trials, nodes)
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
        nodes: Sequence[Node],
        max_parallel: int | None,
    ) -> None:
        self.root = root
        self.attempts = attempts
        self.trunk_of = trunk_of
        self.expected_of = expected_of
        self.nodes = nodes
        self.max_parallel = max_parallel or sum(node.cpus for node in nodes)
        self.flying: dict[Any, Flight] = {}

    def run(self, trials: Sequence[Trial], alone: bool) -> Iterator[Event]:
        """Run these trials. What is in flight when the consumer stops listening ends with the shutdown that follows:
        cancelling it here as well can meet a trial that just ends, and Ray does not survive that.
        """
        waiting = deque((trial, self.attempts.get(trial.id, 0) + 1) for trial in trials)
        while waiting or self.flying:
            while waiting and self._has_room(waiting[0][0], alone):
                trial, attempt = waiting.popleft()
                self._submit(trial, attempt, alone)
                yield Started(trial)
            for flight, result, trunk, lost in self._landed():
                tries = flight.attempt - self.attempts.get(flight.trial.id, 0)
                retried = lost and tries <= RETRIES
                if retried:
                    waiting.append((flight.trial, flight.attempt + 1))
                yield Finished(flight.trial, result, retried, trunk)

    def _free_node(self, trial: Trial) -> Node | None:
        taken = {flight.node for flight in self.flying.values()}
        return next((node for node in self.nodes if node.fits(trial) and node not in taken), None)

    def _has_room(self, trial: Trial, alone: bool) -> bool:
        if len(self.flying) >= self.max_parallel:
            return False
        if alone:
            return self._free_node(trial) is not None
        # No more than can start at once: a trial's time must not run out while it waits in Ray's queue.
        flying = [flight.trial.labels.resources for flight in self.flying.values()]
        needs = (*flying, trial.labels.resources)
        cpus, gpus = (sum(float(need[kind]) for need in needs) for kind in ("cpus", "gpus"))
        return cpus <= sum(node.cpus for node in self.nodes) and gpus <= sum(node.gpus for node in self.nodes)

    def _submit(self, trial: Trial, attempt: int, alone: bool) -> None:
        node = self._free_node(trial) if alone else None
        options: dict[str, Any] = {
            "num_cpus": node.cpus if node else trial.labels.resources["cpus"],
            "num_gpus": trial.labels.resources["gpus"],
            "max_retries": 0,
        }
        if node:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node.id, soft=False)
        if not trial.labels.resources["gpus"] and any(node.gpus for node in self.nodes):
            # Ray leaves every GPU visible to a task that asked for none.
            options["runtime_env"] = {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}
        task = _execute_and_exit if trial.kind == "kernel" else _execute
        reference = task.options(**options).remote(
            trial.to_json(), str(self.root), attempt, alone, self.trunk_of(trial), self.expected_of(trial)
        )
        self.flying[reference] = Flight(trial, attempt, node, time.monotonic())

    def _landed(self) -> Iterator[tuple[Flight, Result, bytes, bool]]:
        """Ended flights: (flight, result, trunk, whether the worker was lost rather than the trial wrong)."""
        ready, _ = ray.wait(list(self.flying), num_returns=1, timeout=1.0)
        for reference in ready:
            flight = self.flying.pop(reference)
            yield flight, *_collect(reference, flight)
        for reference in [reference for reference, flight in self.flying.items() if flight.overdue]:
            flight = self.flying.pop(reference)
            ray.cancel(reference, force=True)
            limit = flight.trial.labels.resources["timeout"]
            error = f"timeout: still running {GRACE:.0f} s after its limit of {limit:.0f} s"
            yield flight, Result("failed", flight.attempt, error=error), b"", False


def _collect(reference: Any, flight: Flight) -> tuple[Result, bytes, bool]:
    try:
        content, trunk = ray.get(reference, timeout=GRACE)
        result = Result.from_json(content)
        return result, trunk, result.error.startswith(LOST)
    except (RayTaskError, RayError, GetTimeoutError) as error:
        seconds = time.monotonic() - flight.since
        first = str(error).strip().split("\n", 1)[0]
        result = Result(
            "failed", flight.attempt, error=f"{type(error).__name__}: {first}", traceback=str(error), seconds=seconds
        )
        return result, b"", not isinstance(error, RayTaskError)


def _run(
    trial: dict[str, Any], root: str, attempt: int, alone: bool, trunk: bytes, expected: Expected
) -> tuple[dict[str, Any], bytes]:
    """Runs in a worker: plain JSON and a trunk's file in, the same out."""
    from .checkpoints import Checkpoints
    from .trial import execute  # imports torch, which the driver does without

    parsed, checkpoints = trial_from_json(trial), Checkpoints(trunk)
    timeout = parsed.labels.resources.get("timeout")
    result = execute(parsed, Path(root), attempt, timeout, alone, checkpoints, expected)
    return result.to_json(), checkpoints.outgoing


_execute = ray.remote(_run)
_execute_and_exit = ray.remote(max_calls=1)(_run)  # a process of its own
