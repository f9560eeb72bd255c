"""Weightings on the Gramian against independent solutions: least squares under constraints, brute force over the
simplex, the papers' formulas on J itself, and the equations that a solution has to satisfy.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from mtlbench.ops.gramian import dot_products
from mtlbench.weightings import TABLE
from tests.weightings.jacobians import matrices

Array = NDArray[np.float64]
MODERATE = [kind for kind in matrices(2) if kind != "wild scales"]
GAINING = ["usual", "conflicting", "dependent, all gaining", "unlike scales", "wild scales"]  # some direction helps all
PARALLEL = torch.tensor([[0.7, 0.4, 0.3], [-2.1, -1.2, -0.9], [1.7, 1.1, -2.9]])  # the second is -3 times the first


def weights(name: str, jacobian: Tensor, **parameters: Any) -> Tensor:
    found: Tensor = TABLE.build({"name": name, **parameters}).weights(dot_products(jacobian, jacobian))
    return found


def simplex(tasks: int, parts: int) -> Array:
    """All points whose entries are multiples of 1/parts [N, T], for two or three tasks."""
    first = np.arange(parts + 1)
    if tasks == 2:
        return np.stack([first, parts - first], 1) / parts
    one, two = (axis.ravel() for axis in np.meshgrid(first, first))
    inside = one + two <= parts
    return np.stack([one, two, parts - one - two], 1)[inside] / parts


@pytest.mark.parametrize("kind", MODERATE)
@pytest.mark.parametrize(("tasks", "parts"), [(2, 20_000), (3, 400)])
def test_no_point_of_the_simplex_is_shorter_than_mgdas(tasks: int, parts: int, kind: str) -> None:
    jacobian = matrices(tasks)[kind].double()
    tried = (np.linalg.norm(simplex(tasks, parts) @ jacobian.numpy(), axis=1)).min()
    found = (weights("mgda", jacobian) @ jacobian).norm()
    assert found <= tried + 1e-9 * jacobian.norm()


@pytest.mark.parametrize("kind", matrices(2))
@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
def test_mgdas_direction_is_the_shortest_that_advances_every_task_by_its_square(tasks: int, kind: str) -> None:
    """g_t . d >= ||d||^2 for every task, in units of its own length: the condition of the shortest combination."""
    jacobian = matrices(tasks)[kind].double()
    lengths = jacobian.norm(dim=1)
    direction = weights("mgda", jacobian) @ jacobian
    assert (jacobian @ direction - direction @ direction >= -1e-7 * lengths * lengths.min()).all()


@pytest.mark.parametrize("kind", matrices(2))
@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
def test_projections_onto_the_dual_cone_are_least_squares_problems(tasks: int, kind: str) -> None:
    """argmin ||J^T v|| over v >= p is p + s, where s >= 0 solves J^T s = -J^T p by non-negative least squares."""
    jacobian = matrices(tasks)[kind].double()
    lengths = jacobian.norm(dim=1)
    rows = (jacobian / lengths[:, None]).nan_to_num().numpy()

    def projected(points: Array) -> Array:
        return np.asarray((points + nnls(rows.T, -rows.T @ points)[0]) @ rows)

    upgrad = sum(length * projected(row) for length, row in zip(lengths.tolist(), np.eye(tasks), strict=True)) / tasks
    dualproj = projected(lengths.numpy() / lengths.max().item() / tasks) * lengths.max().item()
    for name, expected in (("upgrad", upgrad), ("dualproj", dualproj)):
        found = weights(name, jacobian, regularization=0.0) @ jacobian
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-6 * lengths.max().item())


@pytest.mark.parametrize("kind", MODERATE)
@pytest.mark.parametrize(("tasks", "parts"), [(2, 20_000), (3, 400)])
@pytest.mark.parametrize("c", [0.2, 0.5, 0.9, 1.5])
def test_no_dual_value_is_below_the_worst_progress_of_cagrad(c: float, tasks: int, parts: int, kind: str) -> None:
    """min_w g_w . g_0 + c ||g_0|| ||g_w|| over a grid bounds max_d min_t g_t . d from above."""
    jacobian = matrices(tasks)[kind].double()
    mean = jacobian.mean(0)
    combined = simplex(tasks, parts) @ jacobian.numpy()
    bound = (combined @ mean.numpy() + c * float(mean.norm()) * np.linalg.norm(combined, axis=1)).min()
    direction = weights("cagrad", jacobian, c=c) @ jacobian
    if np.linalg.norm(combined, axis=1).min() < 1e-3 * jacobian.norm():
        return  # 0 is a combination of the gradients, where the direction is g_0
    size = float(jacobian.norm() ** 2)
    assert bound - 1e-3 * size <= (jacobian @ direction).min() <= bound + 1e-9 * size


@pytest.mark.parametrize("c", [0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("single", [False, True], ids=["float64 Gramian", "float32 Gramian"])
def test_cagrad_stays_in_its_ball(c: float, single: bool) -> None:
    weighting = TABLE.build({"name": "cagrad", "c": c})
    for scale in (1e-12, 1e-3, 1.0, 1e6):
        cases = [j for tasks in (2, 3, 8) for seed in range(2) for j in matrices(tasks, seed=seed).values()]
        for jacobian in [PARALLEL, *cases]:
            j = scale * jacobian
            products = j @ j.T if single else dot_products(j, j)
            if single and not (products.diagonal() > 1e-30).all():
                continue  # squares that float32 does not hold
            direction = weighting.weights(products).float() @ j
            mean = j.double().mean(0)
            if mean.norm() > 1e-4 * j.double().norm(dim=1).max():  # otherwise g_0 is a sum of rounding errors
                assert (direction.double() - mean).norm() <= c * mean.norm() * (1 + 1e-2)


def test_where_no_direction_helps_all_tasks_cagrad_takes_the_mean() -> None:
    jacobian = torch.tensor([[1.0, 0.0], [-2.0, 0.0]]).double()
    torch.testing.assert_close(weights("cagrad", jacobian, c=2.0) @ jacobian, jacobian.mean(0), rtol=0, atol=0.02)


def test_no_task_is_dropped_for_its_small_gradient() -> None:
    jacobian = torch.diag(torch.tensor([1.0, 5e-4, 1.0]))
    for products in (jacobian @ jacobian.T, dot_products(jacobian, jacobian)):
        found = TABLE.build({"name": "imtl_g"}).weights(products)
        torch.testing.assert_close(found, torch.tensor([1.0, 2000.0, 1.0]).double() / 2002, rtol=1e-5, atol=0)
    expected = {  # in multiples of the unit gradients, by hand for orthogonal ones
        "nash_mtl": [1.0, 1.0, 1.0],
        "fairgrad": [1.0, 5e-4 ** (-1 / 3), 1.0],
        "config": [2.0005 / 3] * 3,
        "aligned_mtl": [5e-4 / 3] * 3,
        "mgda": [2.5e-7, 5e-4, 2.5e-7],
        "upgrad": [1 / 3, 5e-4 / 3, 1 / 3],
    }
    for name, multiples in expected.items():
        found = weights(name, jacobian) * jacobian.diagonal()
        torch.testing.assert_close(found, torch.tensor(multiples).double(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", GAINING)
@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_fair_directions_satisfy_their_equation(alpha: float, tasks: int, kind: str) -> None:
    jacobian = matrices(tasks)[kind].double()
    cases: list[tuple[str, dict[str, float]]] = [("fairgrad", {"alpha": alpha})] if kind != "wild scales" else []
    for name, parameters in [*cases, ("nash_mtl", {})]:
        power = 1.0 if name == "nash_mtl" else 1 / alpha
        found = weights(name, jacobian, **parameters)
        progress = jacobian @ (found @ jacobian)
        torch.testing.assert_close(progress * found**power, torch.ones(tasks).double(), rtol=1e-3, atol=0)


@pytest.mark.parametrize("kind", matrices(2))
@pytest.mark.parametrize("name", ["nash_mtl", "fairgrad"])
def test_fair_weights_are_the_same_in_every_order(name: str, kind: str) -> None:
    for tasks, seed in ((3, 0), (3, 1), (4, 0), (4, 1)):
        jacobian = matrices(tasks, columns=2 if "dependent" in kind else 20, seed=seed)[kind]
        for products in (dot_products(jacobian, jacobian), jacobian @ jacobian.T):
            if not products.isfinite().all():
                continue  # the squares are beyond float32
            expected = TABLE.build({"name": name}).weights(products)
            for order in map(list, permutations(range(tasks))):
                found = TABLE.build({"name": name}).weights(products[order][:, order])
                torch.testing.assert_close(found, expected[order], rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", ["usual", "conflicting", "unlike scales"])
@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
def test_impartial_weights_are_the_papers_formula(tasks: int, kind: str) -> None:
    """alpha_2..T = g_1 U^T (D U^T)^-1, with D and U the first gradient, and unit gradient, minus the others."""
    g = matrices(tasks)[kind].double().numpy()
    unit = g / np.linalg.norm(g, axis=1, keepdims=True)
    d, u = g[:1] - g[1:], unit[:1] - unit[1:]
    others = g[0] @ u.T @ np.linalg.inv(d @ u.T)
    expected = np.append(1 - others.sum(), others)
    np.testing.assert_allclose(weights("imtl_g", torch.from_numpy(g)).numpy(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["usual", "conflicting", "dependent", "unlike scales", "wild scales"])
@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
def test_config_is_the_papers_formula(tasks: int, kind: str) -> None:
    g = matrices(tasks)[kind].double().numpy()
    unit = g / np.linalg.norm(g, axis=1, keepdims=True)
    towards = np.linalg.pinv(unit, rcond=1e-6) @ np.ones(tasks)
    towards /= np.linalg.norm(towards)
    found = weights("config", torch.from_numpy(g)).numpy() @ g
    np.testing.assert_allclose(
        found, (g @ towards).sum() * towards, rtol=1e-5, atol=1e-6 * float(np.linalg.norm(found))
    )


@pytest.mark.parametrize("kind", ["usual", "conflicting", "dependent", "unlike scales"])
@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
@pytest.mark.parametrize(("scale", "common"), [("min", np.min), ("median", np.median), ("rmse", np.mean)])
def test_aligned_gradients_are_those_of_the_singular_value_decomposition(
    scale: str, common: Any, tasks: int, kind: str
) -> None:
    g = matrices(tasks)[kind].double().numpy()
    left, values, right = np.linalg.svd(g, full_matrices=False)
    kept = values > tasks * 2.0**-23 * values[0]
    length = np.sqrt(common(values[kept] ** 2))
    if scale == "median" and kept.sum() % 2 == 0:
        length = np.sqrt(np.sort(values[kept] ** 2)[kept.sum() // 2 - 1])  # the lower of the two in the middle
    expected = length * (left[:, kept] @ right[kept]).mean(0)
    found = weights("aligned_mtl", torch.from_numpy(g), scale=scale).numpy() @ g
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7 * float(np.linalg.norm(expected)))
