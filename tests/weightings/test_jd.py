"""Scalarizations: exact values for two tasks, by hand from the papers' formulas, and torchjd as the oracle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torchjd import scalarization as jd

from mtlbench.weightings import TABLE
from mtlbench.weightings.base import Shown
from mtlbench.weightings.jd import DWA, FAMO, Uncertainty

CPU = torch.device("cpu")
LOSSES = torch.tensor([1.0, 4.0])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"name": "uncertainty"}, [0.5, 0.5]),  # exp(0) / 2
        ({"name": "imtl_l"}, [1.0, 1.0]),  # exp(0)
        ({"name": "dwa"}, [1.0, 1.0]),  # no history
        ({"name": "geometric"}, [1.0, 0.25]),  # f = 2, f / (2 L)
        ({"name": "stch", "mu": 0.5}, [0.5 / (1 + math.exp(3)), 0.5 / (1 + math.exp(-3))]),  # softmax(L) / 2
        ({"name": "famo"}, [0.8, 0.2]),  # (1/2) / L, normalised
    ],
)
def test_first_step(spec: dict[str, Any], expected: list[float]) -> None:
    weighting = TABLE.build(spec)
    weights, _ = weighting.weigh(Shown(LOSSES), weighting.start(("a", "b"), CPU))
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_random_weights_are_a_softmax_of_normal_draws() -> None:
    weighting = TABLE.build({"name": "random"})
    torch.manual_seed(3)
    first, _ = weighting.weigh(Shown(LOSSES), weighting.start(("a", "b"), CPU))
    torch.manual_seed(3)
    torch.testing.assert_close(first, torch.randn(2).softmax(0))


def test_uncertainty_learns_by_the_gradient_of_its_own_terms() -> None:
    state = Uncertainty().start(("a", "b"), CPU)
    Uncertainty().weigh(Shown(LOSSES), state)
    (log_variance,) = Uncertainty().parameters(state)
    torch.testing.assert_close(log_variance.grad, (1 - LOSSES) / 2)  # d/ds (exp(-s) L + s) / 2 at s = 0


def test_dwa_favours_the_task_that_learns_slowest() -> None:
    weighting, tasks = DWA(temperature=1.0), ("a", "b")
    state = weighting.start(tasks, CPU)
    for losses in ([2.0, 2.0], [1.0, 2.0]):  # rates 1/2 and 1
        _, state = weighting.weigh(Shown(torch.tensor(losses)), state)
        state = weighting.after_epoch(state)
    weights, _ = weighting.weigh(Shown(LOSSES), state)
    torch.testing.assert_close(weights, 2 * torch.tensor([0.5, 1.0]).softmax(0))


def test_famo_moves_towards_the_task_that_improved_least() -> None:
    state = FAMO().start(("a", "b"), CPU)
    first, state = FAMO().weigh(Shown(torch.ones(2)), state)
    state = FAMO().after_step(torch.tensor([0.5, 1.0]), state)
    second, _ = FAMO().weigh(Shown(torch.ones(2)), state)
    assert first.tolist() == [0.5, 0.5]
    assert second[1] > second[0]
    assert list(FAMO().parameters(state)) == []


ORACLES: dict[str, Callable[[], Any]] = {
    "equal": jd.Mean,
    "fixed": lambda: jd.Constant(torch.tensor([0.5, 0.3, 0.2])),
    "sum": jd.Sum,
    "random": jd.Random,
    "pbi": lambda: jd.PBI(5.0, torch.ones(3)),
    "cosmos": lambda: jd.COSMOS(1.0, torch.full((3,), 1 / 3)),
    "uncertainty": lambda: jd.UW(3),
    "dwa": jd.DWA,
    "geometric": jd.GeometricMean,
    "imtl_l": lambda: jd.IMTLL(3),
    "stch": lambda: jd.STCH(1.0),
    "famo": lambda: jd.FAMO(3),
}
TASKS = ("a", "b", "c")


@pytest.mark.parametrize("name", ORACLES)
def test_weights_are_the_gradient_of_torchjds_scalarization(name: str) -> None:
    oracle, weighting = ORACLES[name](), TABLE.build({"name": name, **TABLE.load(name).example()})
    steps = torch.rand(6, 3) + 0.1
    torch.manual_seed(0)
    expected = []
    for step, losses in enumerate(steps):
        leaf = losses.clone().requires_grad_()
        oracle(leaf).backward()
        expected.append(leaf.grad)
        if isinstance(oracle, jd.FAMO):
            oracle.update(losses / 2)
        if isinstance(oracle, jd.DWA) and step % 2:
            oracle.step()
    torch.manual_seed(0)
    state = weighting.start(TASKS, CPU)
    for step, losses in enumerate(steps):
        weights, state = weighting.weigh(Shown(losses), state)
        torch.testing.assert_close(weights, expected[step])
        state = weighting.after_step(losses / 2, state)
        state = weighting.after_epoch(state) if step % 2 else state
    mine = [parameter.grad for parameter in weighting.parameters(state)]
    learned = [parameter.grad for parameter in oracle.parameters()]
    assert not mine or all(map(torch.equal, mine, learned))
