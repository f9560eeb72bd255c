"""The list of nodes lives; a silent head is told from a process that was itself stopped; and whose time is up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mtlbench.core.statuses import LOST, TIMEOUT
from mtlbench.runner import ray_nodes, ray_scheduler
from mtlbench.runner.agreement import Expected
from mtlbench.runner.ray_nodes import ClusterLostError, Node, Nodes
from mtlbench.runner.ray_scheduler import Flight, _Pool
from tests.trials import train_trial

SMALL, LARGE = Node("small", 1, 0), Node("large", 4, 1)
TRIAL = train_trial(resources={"cpus": 2, "gpus": 0, "timeout": 10.0})


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)

    def passes(self, nodes: Nodes, seconds: float, step: float = 1.0) -> None:
        """Time in which the scheduler checks the nodes at every step."""
        for _ in range(round(seconds / step)):
            self.now += step
            nodes.check()


def watched(*nodes: Node) -> Nodes:
    return Nodes(lambda: nodes)


def test_a_silent_head_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, nodes = Clock(monkeypatch), watched(SMALL)
    clock.passes(nodes, ray_nodes.SILENCE)
    with pytest.raises(ClusterLostError, match="has not answered for 20 s; finished trials are kept") as caught:
        clock.passes(nodes, 2)
    assert caught.value.exit_code == 75


def test_a_head_that_answers_now_and_then_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, nodes = Clock(monkeypatch), watched(SMALL)
    for _ in range(3):
        clock.passes(nodes, ray_nodes.SILENCE - 1)
        nodes._answers += 1
        nodes.check()


def test_a_process_that_was_stopped_itself_has_heard_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, nodes = Clock(monkeypatch), watched(SMALL)
    clock.passes(nodes, 5 * ray_nodes.SILENCE, step=2 * ray_nodes.SILENCE)


def test_the_thread_takes_the_list_over_and_bears_a_head_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_nodes, "PERIOD", 0.001)
    answers: Iterator[tuple[Node, ...] | OSError] = iter([(SMALL,), OSError("no"), (SMALL, LARGE)])

    def look() -> tuple[Node, ...]:
        answer = next(answers)  # StopIteration in the end, which is borne as well
        if isinstance(answer, OSError):
            raise answer
        return answer

    with Nodes(look).watched() as nodes:
        assert nodes.alive in ((SMALL,), (SMALL, LARGE))
        while nodes.alive != (SMALL, LARGE):
            pass
    assert not nodes._thread.is_alive()


def test_a_run_waits_for_a_node_that_fits_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, nodes = Clock(monkeypatch), watched(SMALL)
    nodes.wait_for_one_that_fits(TRIAL)
    clock.now += ray_nodes.DESERTED
    nodes.wait_for_one_that_fits(TRIAL)
    nodes.alive = (SMALL, LARGE)
    clock.now += 1
    nodes.wait_for_one_that_fits(TRIAL)
    nodes.alive = (SMALL,)
    nodes.wait_for_one_that_fits(TRIAL)  # a new wait
    clock.now += ray_nodes.DESERTED + 1
    with pytest.raises(ClusterLostError, match=f"no node has been left that can hold {TRIAL.title}"):
        nodes.wait_for_one_that_fits(TRIAL)


@pytest.mark.parametrize("alone", [False, True])
def test_the_window_follows_the_nodes(alone: bool) -> None:
    nodes = watched(SMALL)
    pool = _Pool(Path(), {}, lambda trial: b"", lambda trial: Expected({}, {}), nodes, None)
    assert not pool._has_room(TRIAL, alone)
    nodes.alive = (SMALL, LARGE)  # one joins
    assert pool._has_room(TRIAL, alone)
    pool.flying["a stream"] = Flight(TRIAL, 1, LARGE, 0.0)
    nodes.alive = (SMALL,)  # and dies, with what ran there
    assert not pool._has_room(TRIAL, alone)


@pytest.mark.parametrize(
    ("began", "passed", "status"),
    [
        (None, 10.0 + 2 * ray_scheduler.GRACE, ""),  # however long its own time would have been over
        (None, ray_scheduler.QUEUE + 1, LOST),
        (500.0, 500.0 + 10.0 + ray_scheduler.GRACE, ""),
        (500.0, 501.0 + 10.0 + ray_scheduler.GRACE, TIMEOUT),
        (2000.0, 2001.0, ""),  # whenever it was handed over
    ],
)
def test_time_runs_from_the_word_of_the_worker(began: float | None, passed: float, status: str) -> None:
    flight = Flight(TRIAL, 2, None, 0.0, began=began, peak=7)
    result = flight.overdue(passed)
    assert (result.status if result else "") == status
    if result:
        assert result.attempt == 2
        assert ("still running" in result.error) == (status == TIMEOUT)
