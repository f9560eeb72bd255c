"""Task weights from Gramians in each form, against the torch reference, optimality, and torchjd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from mtlbench.ops import backend, gramian_weights
from mtlbench.ops.gramian_reference import METHODS
from mtlbench.ops.gramian_weights import reference

PARAMETERS = {
    "cagrad": (0.5, 1.5), "upgrad": (1e-4, 0.0), "dualproj": (1e-4, 0.0), "fairgrad": (1.0, 2.0, 0.5),
    "aligned_mtl": (0.0, 1.0, 2.0), "gradvac": (0.5,),
}  # fmt: skip
CASES = [(method, parameter) for method in METHODS for parameter in PARAMETERS.get(method, (0.0,))]
needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)


class Given(NamedTuple):
    """The arguments of a call, and the gradients that it is about."""

    gramian: Tensor
    draws: Tensor
    targets: Tensor
    jacobian: Tensor

    def solve(self, method: str, parameter: float) -> tuple[Tensor, Tensor]:
        """lambda, and the targets afterwards."""
        targets = self.targets.clone()
        drawn = self.draws if method in ("pcgrad", "gradvac") else None
        found = gramian_weights(self.gramian, method, parameter, drawn, targets if method == "gradvac" else None)
        return found, targets

    def expect(self, method: str, parameter: float) -> tuple[Tensor, Tensor]:
        """The same by the reference."""
        targets = self.targets.clone()
        return reference(self.gramian, method, parameter, self.draws, targets), targets


def kinds(tasks: int, seed: int = 0) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(97 * tasks + seed)
    usual = torch.randn(tasks, 2 * tasks + 4, generator=draw, dtype=torch.float64)
    silent, doubled, opposed = usual.clone(), usual.clone(), usual.clone()
    silent[0], doubled[-1], opposed[-1] = 0, usual[0], -0.5 * usual[0]
    return {
        "usual": usual,
        "conflicting": usual - 0.9 * usual.mean(0),
        "rank-deficient": usual[:, : max(1, tasks // 2)],
        "silent": silent,
        "doubled": doubled,
        "opposed": opposed,
        "tiny": 1e-12 * usual,
        "huge": 1e12 * usual,
        "unlike": usual * torch.logspace(-2, 2, tasks, dtype=torch.float64)[:, None],
        "none": 0 * usual,
    }


def given(jacobian: Tensor, device: torch.device, seed: int = 0) -> Given:
    draw = torch.Generator().manual_seed(seed)
    tasks = len(jacobian)
    products = jacobian @ jacobian.T
    draws = torch.rand(tasks, tasks, generator=draw)
    targets = torch.rand(tasks, tasks, generator=draw, dtype=torch.float64) - 0.3
    return Given(((products + products.T) / 2).to(device), draws.to(device), targets.to(device), jacobian.to(device))


def problems(form: str, device: torch.device) -> Iterator[tuple[str, Given]]:
    sizes: tuple[int, ...] = (1, 2, 3, 6) if form == "emulated" else (1, 2, 3, 6, 17)
    for tasks in sizes:
        for kind, jacobian in kinds(tasks).items():
            yield f"{kind}, {tasks} tasks", given(jacobian, device)


@pytest.mark.parametrize(("method", "parameter"), CASES)
def test_directions_are_the_references(form: str, device: torch.device, method: str, parameter: float) -> None:
    for kind, case in problems(form, device):
        (found, targets), (expected, wanted) = case.solve(method, parameter), case.expect(method, parameter)
        lengths = case.jacobian.norm(dim=1)
        summed = torch.minimum(found.abs() @ lengths, expected.abs() @ lengths)
        rounding = 1e-3 if method == "cagrad" else 1e-6  # the reference's rounds end before CAGrad's last digits
        assert ((found - expected) @ case.jacobian).norm() <= rounding * summed, kind
        torch.testing.assert_close(targets, wanted, rtol=0, atol=1e-7, msg=kind)


@needs_kernels
@pytest.mark.parametrize("c", [0.2, 0.5, 1.5])
def test_no_direction_in_cagrads_ball_helps_the_worst_task_more_than_the_references(c: float) -> None:
    for tasks in (2, 3, 5, 10):
        for seed in range(5):
            for kind in ("usual", "conflicting", "unlike"):
                case = given(kinds(tasks, seed)[kind], torch.device("cpu"))
                mean, size = case.jacobian.mean(0), case.jacobian.norm(dim=1).min() * case.jacobian.mean(0).norm()
                worst = []
                for solve in (case.solve, case.expect):
                    direction = solve("cagrad", c)[0] @ case.jacobian
                    assert (direction - mean).norm() <= c * mean.norm() * (1 + 1e-9)
                    worst.append((case.jacobian @ direction).min())
                assert worst[0] >= worst[1] - 1e-9 * size


@pytest.mark.parametrize(("method", "parameter"), CASES)
def test_a_batch_is_its_problems(form: str, device: torch.device, method: str, parameter: float) -> None:
    cases = [
        given(kinds(3, seed)[kind], device, seed) for seed in range(2) for kind in ("usual", "conflicting", "doubled")
    ]
    draws, targets = (
        torch.stack([getattr(case, name) for case in cases]).view(2, 3, 3, 3) for name in ("draws", "targets")
    )
    stacked = torch.stack([case.gramian for case in cases]).view(2, 3, 3, 3)
    found = gramian_weights(stacked, method, parameter, draws, targets.clone())
    assert found.shape == (2, 3, 3)
    torch.testing.assert_close(found.view(6, 3), torch.stack([case.solve(method, parameter)[0] for case in cases]))
    assert gramian_weights(stacked[:0], method, parameter, draws[:0], targets[:0]).shape == (0, 3, 3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_what_is_not_finite_is_not_hidden(form: str, device: torch.device, method: str, wrong: float) -> None:
    case = given(kinds(3)["usual"], device)
    case.gramian[1, 2] = case.gramian[2, 1] = wrong
    assert case.solve(method, 1.0)[0].isnan().all()


@pytest.mark.parametrize(("method", "parameter"), CASES)
def test_a_gramian_in_float32_is_trusted_less(form: str, device: torch.device, method: str, parameter: float) -> None:
    for kind in ("usual", "conflicting", "silent"):
        case = given(kinds(4)[kind], device)
        case = case._replace(gramian=case.gramian.float())
        found, expected = case.solve(method, parameter)[0], case.expect(method, parameter)[0]
        assert found.dtype == torch.float64
        summed = expected.abs() @ case.jacobian.norm(dim=1)
        assert ((found - expected) @ case.jacobian).norm() <= 1e-4 * summed


@pytest.mark.parametrize("method", ["mgda", "upgrad", "dualproj", "cagrad", "fairgrad"])
def test_the_order_of_the_tasks_does_not_matter(form: str, device: torch.device, method: str) -> None:
    parameter = PARAMETERS.get(method, (0.0,))[0]
    for kind, jacobian in kinds(4).items():
        order = [2, 0, 3, 1]
        first, other = given(jacobian, device), given(jacobian[order], device)
        found, moved = first.solve(method, parameter)[0], other.solve(method, parameter)[0]
        difference = (found[order] - moved) @ other.jacobian
        assert difference.norm() <= 1e-6 * (found.abs() @ first.jacobian.norm(dim=1)), kind


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((torch.eye(2), "mgdaa"), ValueError, "expected one of the methods .*mgda.*, got mgdaa"),
        ((torch.ones(2, 3), "mgda"), ValueError, r"shape \[.., T, T\], got \[2, 3\]"),
        ((torch.ones(2), "mgda"), ValueError, r"shape \[.., T, T\]"),
        ((torch.eye(2).long(), "mgda"), TypeError, "expected gramian of"),
        ((torch.eye(2), "fairgrad", 0.0), ValueError, "parameter above 0, got 0"),
        ((torch.eye(2), "cagrad", -1.0), ValueError, "at least 0, got -1"),
        ((torch.eye(2), "pcgrad"), ValueError, "draws for pcgrad, got none"),
        ((torch.eye(2), "pcgrad", 0.0, torch.ones(3, 3)), ValueError, r"draws of shape \[2, 2\], got \[3, 3\]"),
        ((torch.eye(2), "pcgrad", 0.0, torch.eye(2).double()), TypeError, "draws of dtype"),
        ((torch.eye(2), "gradvac", 0.0, torch.eye(2)), ValueError, "targets for gradvac, got none"),
        (
            (torch.eye(2), "gradvac", 0.0, torch.eye(2), torch.zeros(2, 1).double().expand(2, 2)),
            ValueError,
            "contiguous",
        ),
    ],
)
def test_errors(form: str, arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gramian_weights(*arguments)


@needs_kernels
@pytest.mark.parametrize("library", ["mtlbench", "mtlbench_emulated"])
@pytest.mark.parametrize("method", ["mgda", "pcgrad", "gradvac"])
def test_opcheck(library: str, method: str) -> None:
    if not hasattr(getattr(torch.ops, library), "gramian_weights"):
        pytest.skip("built with MTLBENCH_EMULATOR=0")
    case = given(kinds(3)["usual"], torch.device("cpu"))
    drawn = case.draws if method != "mgda" else None
    targets = case.targets if method == "gradvac" else None
    operation = getattr(torch.ops, library).gramian_weights.default
    torch.library.opcheck(operation, (case.gramian, method, 0.5, drawn, targets))


@needs_kernels
def test_compiles_into_one_graph() -> None:
    case = given(kinds(3)["usual"], torch.device("cpu"))
    torch.compiler.reset()
    compiled = torch.compile(gramian_weights, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(case.gramian, "upgrad", 1e-4), gramian_weights(case.gramian, "upgrad", 1e-4))
