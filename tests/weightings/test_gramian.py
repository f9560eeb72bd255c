"""Weightings on the Gramian: exact values, what each promises of its direction, and torchjd as the oracle."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchjd import aggregation as jd

from mtlbench.weightings import TABLE
from mtlbench.weightings.base import Shown
from mtlbench.weightings.on_gramian import OnGramian
from tests.weightings.jacobians import PAIR, SCALES, matrices

Spec = dict[str, Any]
EXACT: list[tuple[Spec, list[float]]] = [
    ({"name": "mgda"}, [0.6, 0.4]),
    ({"name": "pcgrad"}, [2.2222, 1.5789]),
    ({"name": "upgrad", "regularization": 0.0}, [1.1111, 0.7895]),
    ({"name": "dualproj", "regularization": 0.0}, [0.6111, 0.5]),
    ({"name": "cagrad", "c": 0.5}, [0.7041, 0.5]),
    ({"name": "imtl_g"}, [0.5923, 0.4077]),
    ({"name": "aligned_mtl"}, [0.5591, 0.4083]),
    ({"name": "fairgrad", "alpha": 1.0}, [0.5915, 0.4071]),
    ({"name": "nash_mtl"}, [0.5915, 0.4071]),
]
UNCONFLICTING: list[Spec] = [
    {"name": "mgda"}, {"name": "upgrad"}, {"name": "dualproj"}, {"name": "cagrad", "c": 1.5}, {"name": "nash_mtl"},
    {"name": "fairgrad"}, {"name": "config"},
]  # fmt: skip
ANYWHERE = {"mgda", "upgrad", "dualproj"}  # those that hurt no task where no direction helps all either
SCALE_FREE = ["mgda", "pcgrad", "cagrad", "upgrad", "dualproj", "imtl_g", "aligned_mtl", "config"]
PURE = [name for name in TABLE if issubclass(TABLE.load(name), OnGramian)]
ORACLES = {
    "mgda": lambda: jd.MGDAWeighting(1e-9, 20000),
    "cagrad": lambda: jd.CAGradWeighting(0.5),
    "upgrad": jd.UPGradWeighting,
    "dualproj": jd.DualProjWeighting,
    "fairgrad": lambda: jd.FairGradWeighting(2.0),
    "imtl_g": jd.IMTLGWeighting,
    "aligned_mtl": jd.AlignedMTLWeighting,
}
CASES = [(tasks, kind) for tasks in (2, 3, 5, 8) for kind in matrices(2)]


def weigh(spec: Spec, jacobian: Tensor) -> Tensor:
    torch.manual_seed(0)
    weights: Tensor = TABLE.build(spec).weights(jacobian @ jacobian.T)
    return weights.to(jacobian.dtype)


@pytest.mark.parametrize(
    ("spec", "expected"), EXACT, ids=lambda value: value["name"] if isinstance(value, dict) else "weights"
)
def test_two_tasks_by_hand(spec: Spec, expected: list[float]) -> None:
    assert weigh(spec, PAIR).tolist() == pytest.approx(expected, abs=1e-4)


def test_gradvac_starts_as_gradient_surgery() -> None:
    weighting = TABLE.build({"name": "gradvac"})
    gramian = PAIR @ PAIR.T
    found, _ = weighting.weigh(Shown(torch.ones(2), gramian), weighting.start(("a", "b"), torch.device("cpu")))
    assert found.tolist() == pytest.approx([2.2222, 1.5789], abs=1e-4)


@pytest.mark.parametrize("spec", UNCONFLICTING, ids=lambda spec: spec["name"])
@pytest.mark.parametrize(("tasks", "kind"), CASES)
def test_no_task_is_hurt(spec: Spec, tasks: int, kind: str) -> None:
    jacobian = matrices(tasks)[kind].double()
    units = jacobian / jacobian.norm(dim=1, keepdim=True).clamp_min(1e-12)
    if (weigh({"name": "mgda"}, units) @ units).norm() < 1e-3 and spec["name"] not in ANYWHERE:
        return  # no direction helps all tasks
    progress = jacobian @ (weigh(spec, jacobian) @ jacobian)
    allowed = 2e-4 if "regularization" in TABLE.load(spec["name"]).model_fields else 1e-6
    assert progress.min() >= -allowed * tasks * jacobian.norm() ** 2


@pytest.mark.parametrize("name", SCALE_FREE)
@pytest.mark.parametrize("scale", SCALES[1:])
def test_the_direction_scales_as_the_gradients_do(name: str, scale: float) -> None:
    jacobian = matrices(4)["conflicting"]
    torch.testing.assert_close(
        weigh({"name": name}, scale * jacobian), weigh({"name": name}, jacobian), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
def test_nash_is_free_of_each_tasks_scale(tasks: int) -> None:
    jacobian = matrices(tasks)["usual"].double()
    factors = torch.logspace(-3, 3, tasks, dtype=torch.float64)
    scaled = weigh({"name": "nash_mtl"}, factors[:, None] * jacobian) * factors
    torch.testing.assert_close(scaled, weigh({"name": "nash_mtl"}, jacobian))
    weights = weigh({"name": "nash_mtl"}, jacobian)
    torch.testing.assert_close(jacobian @ jacobian.T @ weights, 1 / weights, rtol=1e-4, atol=0)


def test_nash_of_two_tasks_in_closed_form() -> None:
    jacobian = matrices(2)["conflicting"].double()
    cosine = torch.cosine_similarity(jacobian[0], jacobian[1], dim=0)
    expected = 1 / (jacobian.norm(dim=1) * (1 + cosine).sqrt())
    torch.testing.assert_close(weigh({"name": "nash_mtl"}, jacobian), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", matrices(2))
def test_surgery_of_two_tasks_is_twice_the_unregularized_projection(kind: str) -> None:
    jacobian = matrices(2)[kind].double()
    surgery = weigh({"name": "pcgrad"}, jacobian) @ jacobian
    projection = 2 * weigh({"name": "upgrad", "regularization": 0.0}, jacobian) @ jacobian
    torch.testing.assert_close(surgery, projection, rtol=1e-4, atol=1e-4 * float(jacobian.norm()))


@pytest.mark.parametrize("tasks", [2, 3, 5, 8, 20])
@pytest.mark.parametrize("kind", matrices(2))
def test_mgda_is_the_shortest_combination(tasks: int, kind: str) -> None:
    jacobian = matrices(tasks)[kind].double()
    weights = weigh({"name": "mgda"}, jacobian)
    products = jacobian @ jacobian.T
    shortest = weights @ products @ weights
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    assert (products @ weights).min() >= shortest - 1e-7 * products.trace()  # first-order optimality on the simplex


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
@pytest.mark.parametrize("kind", ["usual", "conflicting"])
def test_weights_are_torchjds(name: str, tasks: int, kind: str) -> None:
    try:
        oracle = ORACLES[name]()
    except ImportError as missing:
        pytest.skip(str(missing))
    jacobian = matrices(tasks)[kind].double()
    expected = oracle(jacobian @ jacobian.T)
    torch.testing.assert_close(weigh({"name": name}, jacobian), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
def test_config_is_torchjds(tasks: int) -> None:
    jacobian = matrices(tasks)["conflicting"].double()
    torch.testing.assert_close(weigh({"name": "config"}, jacobian) @ jacobian, jd.ConFIG()(jacobian))


@pytest.mark.parametrize("name", PURE)
def test_no_conflict_among_equal_gradients(name: str) -> None:
    jacobian = matrices(4)["alike"].double()
    direction = weigh({"name": name}, jacobian) @ jacobian
    assert torch.cosine_similarity(direction, jacobian[0], dim=0) > 0.999
