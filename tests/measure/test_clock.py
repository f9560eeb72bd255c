"""Interleaving and ratios on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mtlbench.measure import clock

CPU = torch.device("cpu")


class Machine:
    """A machine whose work takes as long as it is told, and slows down all the while."""

    def __init__(self) -> None:
        self.time = 0.0
        self.log: list[str] = []

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.log.append(name)
            self.time += seconds * (1 + 0.01 * len(self.log))

        return run


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(clock, "now", lambda device: machine.time)
    return machine


def test_blocks_are_mirrored_in_random_order_and_the_first_is_not_counted(machine: Machine) -> None:
    contenders = {name: machine.work(name, 1.0) for name in "abc"}
    seconds = clock.interleave(contenders, CPU, blocks=6)
    assert {name: len(times) for name, times in seconds.items()} == dict.fromkeys("abc", 6)
    orders = [machine.log[low : low + 6] for low in range(0, len(machine.log), 6)]
    assert len(orders) == 7
    assert all(order == order[::-1] and set(order) == set("abc") for order in orders)
    assert len(set(map(tuple, orders))) > 1


def test_a_machine_that_slows_down_harms_all_alike(machine: Machine) -> None:
    seconds = clock.interleave({"slow": machine.work("slow", 2.0), "fast": machine.work("fast", 1.0)}, CPU, blocks=9)
    assert seconds["slow"] == pytest.approx([2 * time for time in seconds["fast"]])
    ratio = clock.speedup(seconds["slow"], seconds["fast"])
    assert [ratio.low, ratio.median, ratio.high] == pytest.approx([2.0] * 3)
    assert str(ratio) == "2.000 [2.000, 2.000]"


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(0)
    held = 0
    for seed in range(100):
        reference, contender = np.exp(chance.normal(0.1, 0.2, 30)), np.exp(chance.normal(0.0, 0.2, 30))
        ratio = clock.speedup(reference.tolist(), contender.tolist(), seed)
        held += ratio.low <= np.exp(0.1) <= ratio.high
    assert held >= 88  # of 100, where 95 are due: fewer would have a chance below 1 in 100


def test_time_goes_forward() -> None:
    first = clock.now(CPU)
    assert clock.now(CPU) >= first
