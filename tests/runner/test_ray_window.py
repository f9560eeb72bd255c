"""How many trials are in flight at once: no more than can start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtlbench.core.errors import UnavailableError
from mtlbench.core.trial import Trial
from mtlbench.runner.agreement import Expected
from mtlbench.runner.ray_nodes import Node, Nodes
from mtlbench.runner.ray_scheduler import Flight, _check_fit, _Pool
from tests.trials import train_trial


def trial(seed: int, cpus: int = 1, gpus: float = 0) -> Trial:
    resources = {"cpus": cpus, "gpus": gpus, "timeout": 9.0}
    return train_trial(seed=seed, resources=resources)


def in_flight(pool: _Pool, trials: list[Trial], alone: bool) -> int:
    for index, waiting in enumerate(trials):
        if not pool._has_room(waiting, alone):
            return index
        node = pool._free_node(waiting) if alone else None
        pool.flying[index] = Flight(waiting, 1, node, 0.0)
    return len(trials)


def nodes(*alive: Node) -> Nodes:
    return Nodes(lambda: alive)


def planned_with(trial: Trial) -> Expected:
    return Expected({}, {})


@pytest.mark.parametrize(
    ("needs", "alone", "expected"),
    [
        ({}, False, 8),
        ({"cpus": 3}, False, 2),
        ({"gpus": 1}, False, 2),  # two GPUs, whatever the number of CPUs
        ({"gpus": 0.5}, False, 4),
        ({}, True, 2),  # one on each node
        ({"gpus": 1}, True, 1),  # one node has GPUs
    ],
)
def test_the_window(needs: dict[str, Any], alone: bool, expected: int) -> None:
    pool = _Pool(Path(), {}, lambda trial: b"", planned_with, nodes(Node("a", 4, 2), Node("b", 4, 0)), None)
    assert in_flight(pool, [trial(seed, **needs) for seed in range(20)], alone) == expected
    pool = _Pool(Path(), {}, lambda trial: b"", planned_with, nodes(Node("a", 4, 2), Node("b", 4, 0)), 1)
    assert in_flight(pool, [trial(seed, **needs) for seed in range(20)], alone) == 1


def test_what_no_node_can_hold_is_refused() -> None:
    with pytest.raises(UnavailableError, match="needs 5 CPUs and 0 GPUs on one node"):
        _check_fit([trial(0), replace(trial(1, cpus=5))], [Node("a", 4, 1)])
