"""What each weighting claims of its direction, on gradients of every kind; a new row of the table is tested unasked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from torch import Tensor

from mtlbench.weightings import TABLE
from mtlbench.weightings.base import Claim
from tests import entries
from tests.weightings.jacobians import build, descend, matrices

KINDS = tuple(matrices(2))
LOSSES = torch.tensor([0.3, 1.0, 2.5])


def claiming(claim: Claim) -> list[str]:
    return [name for name in TABLE if claim in entries.weighting(name).claims]


def step(name: str, jacobian: Tensor) -> tuple[Tensor, Tensor]:
    """The second step's weights and direction, in float64; the losses are the same at all scales of the gradients."""
    weights, direction = descend(build(name), [jacobian.flip(1), jacobian], LOSSES)[1]
    return weights.double(), direction.double()


def units(jacobian: Tensor) -> Tensor:
    lengths = jacobian.double().norm(dim=1, keepdim=True)
    found: Tensor = (jacobian.double() / lengths).where(lengths > 0, 0.0)
    return found


def shortest(units_Tn: Tensor, least: float) -> float:
    """min ||U^T x|| over x >= least and, if that is 0, sum x = 1: by non-negative least squares."""
    u = units_Tn.numpy()
    tasks = len(u)
    if least:
        return float(nnls(u.T, -least * u.sum(0))[1])
    heavy = 1e4  # the weight of the constraint
    x, _ = nnls(np.vstack([u.T, np.full((1, tasks), heavy)]), np.append(np.zeros(u.shape[1]), heavy))
    return float(np.linalg.norm(u.T @ x))


def slack(name: str, weights: Tensor, jacobian: Tensor) -> Tensor:
    """How much of each task's length times the summed lengths rounding, or the weighting's own ridge, may take."""
    ridge = 2e-4 if "regularization" in TABLE.load(name).model_fields else 2e-6
    lengths = jacobian.double().norm(dim=1)
    found: Tensor = ridge * lengths * (weights.abs() @ lengths)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", claiming(Claim.CONVEX))
def test_weights_lie_on_the_simplex(name: str, kind: str) -> None:
    weights, _ = step(name, matrices(3)[kind])
    assert weights.min() >= 0
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", [name for name in TABLE if not entries.weighting(name).signed])
def test_weights_are_negative_only_where_they_may_be(name: str) -> None:
    for kind, jacobian in matrices(3).items():
        weights, _ = step(name, jacobian)
        assert weights.min() >= 0, kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*claiming(Claim.COMPATIBLE), *claiming(Claim.UNCONFLICTING)])
def test_no_task_is_hurt(name: str, kind: str) -> None:
    for seed in range(5):
        jacobian = matrices(3, seed=seed)[kind]
        if Claim.COMPATIBLE in entries.weighting(name).claims and shortest(units(jacobian), 0.0) < 1e-3:
            continue  # no direction helps all tasks
        weights, direction = step(name, jacobian)
        assert (jacobian.double() @ direction >= -slack(name, weights, jacobian)).all()


@pytest.mark.parametrize("power", [-40, -20, 20, 40])
@pytest.mark.parametrize("name", [*claiming(Claim.HOMOGENEOUS), *claiming(Claim.LINEAR)])
def test_the_direction_scales_as_all_gradients_do(name: str, power: int) -> None:
    scale = 2.0**power  # a product with it is not rounded
    for kind, jacobian in matrices(3).items():
        weights, direction = step(name, jacobian)
        _, found = step(name, scale * jacobian)
        lengths = jacobian.double().norm(dim=1)
        rounding = 1e-6 * (weights.abs() @ lengths + lengths.min())
        assert (found / scale - direction).norm() <= 1e-4 * direction.norm() + rounding, kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", claiming(Claim.LINEAR))
def test_the_direction_is_linear_in_the_lengths_of_the_gradients(name: str, kind: str) -> None:
    jacobian = matrices(3)[kind]
    one, other = torch.tensor([[1.0], [20.0], [0.3]]), torch.tensor([[5.0], [0.01], [2.0]])
    (weights, first), (_, second), (_, both) = (step(name, factors * jacobian) for factors in (one, other, one + other))
    summed = weights.abs() @ (one * jacobian).double().norm(dim=1)
    assert (first + second - both).norm() <= 1e-4 * both.norm() + 1e-5 * summed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", claiming(Claim.INVARIANT))
def test_no_factor_of_a_loss_turns_the_direction(name: str, kind: str) -> None:
    jacobian = matrices(3)[kind]
    weights, direction = step(name, jacobian)
    for factors in ([1.0, 1e3, 1e-3], [1e-6, 1.0, 1e6]):
        _, found = step(name, torch.tensor(factors)[:, None] * jacobian)
        summed = float(weights.abs() @ jacobian.double().norm(dim=1))
        if direction.norm() > 1e-4 * summed:  # shorter ones are rounding
            assert abs(found @ direction) > (1 - 1e-5) * found.norm() * direction.norm()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", claiming(Claim.STRONG))
def test_descent_stops_only_where_no_task_gains_for_free(name: str, kind: str) -> None:
    for tasks, seed in ((3, 0), (3, 1), (3, 2)):
        jacobian = matrices(tasks, seed=seed)[kind]
        weights, direction = step(name, jacobian)
        summed = float(weights.abs() @ jacobian.double().norm(dim=1))
        if direction.norm() < 1e-6 * summed:
            assert shortest(units(jacobian), 1.0) < 1e-3


def test_all_kinds_of_stationary_points_are_among_the_kinds() -> None:
    gap = {kind: (shortest(units(j), 0.0) < 1e-5, shortest(units(j), 1.0) < 1e-5) for kind, j in matrices(3).items()}
    assert gap["usual"] == (False, False)
    assert gap["weakly stationary"] == (True, False)
    assert gap["strongly stationary"] == gap["strongly stationary, unevenly"] == (True, True)
