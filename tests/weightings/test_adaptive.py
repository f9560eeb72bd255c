"""First steps of the weightings that learn, by hand from the papers' formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mtlbench.weightings import TABLE
from mtlbench.weightings.base import Shown
from mtlbench.weightings.solvers import onto_simplex
from tests.weightings.jacobians import PAIR

CPU = torch.device("cpu")
G = PAIR @ PAIR.T


def start(name: str, **parameters: Any) -> tuple[Any, Any]:
    weighting = TABLE.build({"name": name, **parameters})
    return weighting, weighting.start(("a", "b"), CPU)


def test_gradnorm_lengthens_the_gradient_of_the_task_that_learns_slower() -> None:
    weighting, state = start("gradnorm", alpha=1.0, lr=0.1)
    first, state = weighting.weigh(Shown(torch.tensor([1.0, 2.0]), G), state)
    assert first.tolist() == [1, 1]
    # Ratios 1 and 1: both lengths are to be their mean, so the shorter gradient (18 < 38) gains.
    lengths = G.diagonal().sqrt()
    moved = 1 - 0.1 * torch.tensor([-1.0, 1.0]) * lengths / lengths.mean()
    second, _ = weighting.weigh(Shown(torch.tensor([1.0, 0.2]), G), state)
    torch.testing.assert_close(second, 2 * moved / moved.sum())


def test_gradnorm_compares_with_the_first_loss_that_a_task_has() -> None:
    weighting, state = start("gradnorm")
    unlabelled = G * torch.tensor([[1.0, 0.0], [0.0, 0.0]])  # no gradient, and a loss that stands for none
    _, state = weighting.weigh(Shown(torch.tensor([2.0, 1.0]), unlabelled), state)
    _, state = weighting.weigh(Shown(torch.tensor([1.0, 4.0]), G), state)
    assert state.first.tolist() == [2, 4]


def test_a_step_of_gradnorm_is_free_of_the_scale_of_the_gradients() -> None:
    weighting, state = start("gradnorm")
    (_, one), (_, other) = (weighting.weigh(Shown(torch.tensor([1.0, 2.0]), scale * G), state) for scale in (1, 1e4))
    torch.testing.assert_close(one.weights, other.weights)
    assert not torch.equal(one.weights, torch.ones(2))


def test_db_mtl_makes_all_log_gradients_as_long_as_the_longest() -> None:
    weighting, state = start("db_mtl", beta=0.5, decay=1.0)
    losses = torch.tensor([2.0, 4.0])
    _, state = weighting.weigh(Shown(losses, jacobian=PAIR), state)
    tracked = PAIR / losses[:, None]
    torch.testing.assert_close(state.tracked, tracked)
    weights, state = weighting.weigh(Shown(losses, jacobian=2 * PAIR), state)
    tracked = 0.25 * tracked + 0.75 * 2 * tracked  # the second step keeps beta / 2
    direction = weighting.combine(PAIR, weights, state)
    lengths = tracked.norm(dim=1)
    torch.testing.assert_close(direction, lengths.max() * (tracked / lengths[:, None]).sum(0))


def test_moco_follows_its_tracked_gradients() -> None:
    weighting, state = start("moco", beta=0.5, gamma=0.01)
    weights, state = weighting.weigh(Shown(torch.ones(2), jacobian=PAIR), state)
    torch.testing.assert_close(weights, onto_simplex(0.5 - 0.01 * G @ torch.tensor([0.5, 0.5])))
    _, state = weighting.weigh(Shown(torch.ones(2), jacobian=3 * PAIR), state)
    torch.testing.assert_close(state.tracked, 2 * PAIR)


def test_auto_lambda_raises_tasks_whose_gradients_help_the_other_half() -> None:
    weighting, state = start("auto_lambda", lr=0.01)
    crossed = torch.tensor([[1.0, 0.5], [-3.0, 1.0]])
    weights, _ = weighting.weigh(Shown(torch.ones(2), crossed=crossed), state)
    torch.testing.assert_close(weights, torch.tensor([0.11, 0.09]))  # Adam's first step is lr in the slope's direction


def test_smoothed_weights_move_by_a_share() -> None:
    weighting, state = start("smoothed", of={"name": "mgda"}, alpha=0.75)
    first, state = weighting.weigh(Shown(torch.ones(2), G), state)
    torch.testing.assert_close(first, torch.tensor([0.6, 0.4]))
    second, _ = weighting.weigh(Shown(torch.ones(2), torch.eye(2)), state)
    torch.testing.assert_close(second, torch.tensor([0.575, 0.425]))


def test_a_bare_name_is_the_weighting_without_parameters() -> None:
    bare, written = (TABLE.build({"name": "smoothed", "of": of}) for of in ("cagrad", {"name": "cagrad"}))
    assert bare == written
    assert bare.model_dump(mode="json") == written.model_dump(mode="json")  # and so the same trial


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("mdga", "of: unknown weighting 'mdga', did you mean 'mgda'?"),
        ({"name": "famo"}, "function of the Gramian, got famo"),
        ({"c": 1}, "of: expected the name of a weighting, or a mapping with its name"),
        ({"name": "cagrad", "c": -1}, "of: c: Input should be greater"),
    ],
)
def test_what_cannot_be_smoothed_is_refused(of: dict[str, object] | str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TABLE.build({"name": "smoothed", "of": of})


@pytest.mark.parametrize(
    ("point", "nearest"),
    [([0.2, 0.8], [0.2, 0.8]), ([1.0, 1.0], [0.5, 0.5]), ([3.0, 0.0], [1.0, 0.0]), ([1e20, 0.0], [1.0, 0.0])],
)
def test_projection_onto_the_simplex(point: list[float], nearest: list[float]) -> None:
    torch.testing.assert_close(onto_simplex(torch.tensor(point)), torch.tensor(nearest))


def test_graddrop_keeps_one_sign_in_each_coordinate() -> None:
    weighting, state = start("graddrop")
    torch.manual_seed(0)
    weights, state = weighting.weigh(Shown(torch.ones(2), jacobian=PAIR), state)
    direction: Tensor = weighting.combine(PAIR, weights, state)
    assert direction[0].item() in (-4.0, 6.0)
    assert direction[1:].tolist() == [2.0, 2.0]


def test_trimmed_mean_of_three() -> None:
    weighting = TABLE.build({"name": "trimmed_mean"})
    jacobian = torch.tensor([[1.0, 9.0], [2.0, -9.0], [7.0, 1.0]])
    weights, state = weighting.weigh(Shown(torch.ones(3), jacobian=jacobian), None)
    assert weighting.combine(jacobian, weights, state).tolist() == [2.0, 1.0]


def test_full_imtl_is_its_gradient_part_on_scaled_losses() -> None:
    weighting, state = start("imtl")
    with torch.no_grad():
        state += torch.tensor([0.5, -1.0])
    losses, scales = torch.tensor([2.0, 3.0]), torch.tensor([0.5, -1.0]).exp()
    weights, _ = weighting.weigh(Shown(losses, G.double()), state)
    impartial = TABLE.build({"name": "imtl_g"}).weights(G.double() * scales.outer(scales)).float()
    torch.testing.assert_close(weights, impartial * scales)
    torch.testing.assert_close(state.grad, scales * losses - 1)  # d/ds (exp(s) L - s)
    assert list(weighting.parameters(state)) == [state]
    projections = (weights @ PAIR) @ PAIR.T / PAIR.norm(dim=1)
    torch.testing.assert_close(projections[0], projections[1])


def test_excess_risks_are_relative_to_those_of_the_warmup() -> None:
    weighting, state = start("excess_mtl", step=0.5, warmup=2)
    for factor in (1.0, 3.0):
        weights, state = weighting.weigh(Shown(torch.ones(2), jacobian=factor * PAIR), state)
        torch.testing.assert_close(weights, torch.tensor([0.5, 0.5]))
    sums = PAIR.abs().sum(1)
    torch.testing.assert_close(state.first, sums * (1 + 9 / 10**0.5) / 2)
    weights, _ = weighting.weigh(Shown(torch.ones(2), jacobian=PAIR * torch.tensor([[1.0], [2.0]])), state)
    excess = torch.tensor([1 / 11**0.5, 4 / 14**0.5]) / ((1 + 9 / 10**0.5) / 2)
    torch.testing.assert_close(weights, (0.5 * excess).softmax(0))


def test_a_task_whose_gradient_comes_late_has_its_first_excess_risk_then() -> None:
    weighting, state = start("excess_mtl", step=1.0)
    silent = PAIR * torch.tensor([[1.0], [0.0]])
    for jacobian in (silent, silent, PAIR):
        weights, state = weighting.weigh(Shown(torch.ones(2), jacobian=jacobian), state)
        assert weights.isfinite().all()
    assert state.first[1] == PAIR[1].abs().sum()
