"""Every loss of the table has a reference with a true gradient, a kernel that agrees with it, and trains by any engine.

Awkward shapes, dtypes and masks are in tests/ops, whose lists derive from the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from mtlbench.core.losses import LOSSES
from mtlbench.core.metrics import misfit
from mtlbench.core.task import TaskSpec
from mtlbench.engine import TABLE as ENGINES
from mtlbench.ops import backend, task_losses
from mtlbench.ops.eager_losses import REFERENCES, per_task_losses
from tests.contracts import test_engines as engines
from tests.toy_data import make

needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)
WITH_PARAMETER = [name for name, row in LOSSES.items() if row.parameter]


def drawn(name: str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Outputs [8, 3] and targets of one task, away from kinks."""
    chance = torch.Generator().manual_seed(0)
    outputs = 2 * torch.randn(8, 3, generator=chance, dtype=torch.float64).to(dtype)
    if LOSSES[name].kind == "classification":
        return outputs, torch.randint(3, (8,), generator=chance)
    return outputs, torch.rand(8, 3, generator=chance, dtype=torch.float64).to(dtype)


def parameters(name: str) -> list[float]:
    """The usual one and two others, or what stands for none."""
    return [1.0] if LOSSES[name].parameter is None else [LOSSES[name].number(None), 0.3, 2.5]


def test_tables_have_the_same_losses() -> None:
    assert list(REFERENCES) == list(LOSSES)
    assert backend.module is None or backend.module.losses == list(LOSSES)


def test_kernels_built_for_other_losses_are_refused() -> None:
    old = ModuleType("old")
    old.losses = [*LOSSES, "hinge"]  # type: ignore[attr-defined]
    module, reason = backend.checked(old)
    assert module is None
    assert "hinge" in reason
    assert backend.HOW_TO_BUILD in reason


@pytest.mark.parametrize("name", LOSSES)
def test_a_row_is_of_a_task_and_of_known_metrics(name: str) -> None:
    task = TaskSpec("task", 3, name)
    assert task.metrics == LOSSES[name].metrics
    assert not any(misfit(metric, task.kind) for metric in task.metrics)
    assert task.loss_parameter == LOSSES[name].number(None)


@pytest.mark.parametrize("name", LOSSES)
def test_the_reference_is_differentiated_as_its_differences_say(name: str) -> None:
    outputs, targets = drawn(name)
    for beta in parameters(name):
        assert torch.autograd.gradcheck(
            lambda x, beta=beta: per_task_losses([x], [targets], [name], betas=[beta]), (outputs.requires_grad_(),)
        )


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_the_kernel_agrees_with_the_reference(name: str, dtype: torch.dtype) -> None:
    """Losses and gradients within 16 roundings of numbers of the size of the largest."""
    outputs, targets = drawn(name, dtype)
    close = 16 * torch.finfo(dtype).eps
    for beta in parameters(name):
        results = []
        for form in (_by_reference, _by_kernel):
            x = outputs.clone().requires_grad_()
            (loss,) = form([x], [targets], [name], [beta])
            (gradient,) = torch.autograd.grad(loss, x)
            results.append((loss.detach(), gradient))
        (wanted, slope), (loss, gradient) = results
        torch.testing.assert_close(loss, wanted, rtol=close, atol=close)
        torch.testing.assert_close(gradient, slope, rtol=close, atol=close * float(slope.abs().max()))


@pytest.mark.parametrize("name", WITH_PARAMETER)
def test_the_parameter_is_part_of_the_loss_and_has_a_range(name: str) -> None:
    row = LOSSES[name]
    assert row.parameter is not None
    outputs, targets = drawn(name)
    usual, other = (per_task_losses([outputs], [targets], [name], betas=[beta]) for beta in parameters(name)[:2])
    assert usual != other
    for wrong in (row.parameter.above - 1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"loss {name}: expected {row.parameter.name} >"):
            TaskSpec("task", 1, name, beta=wrong)


def test_a_loss_without_a_parameter_takes_none() -> None:
    with pytest.raises(ValueError, match=r"task 'task': loss mse takes no parameter, got 0\.5"):
        TaskSpec("task", 1, "mse", beta=0.5)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Tensor]]:
    """The curve of losses of the toy problem by an engine, one of its tasks with another loss."""
    compile_: Callable[..., Any] = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, fullgraph, **_: compile_(f, backend="eager", fullgraph=fullgraph))

    def train(engine: str, name: str, beta: float | None = None) -> Tensor:
        data, row = make(), LOSSES[name]
        place = {"classification": 0, "binary": 1, "regression": 2, "direction": 2}[row.kind]
        tasks = list(data.outline.tasks)
        tasks[place] = replace(tasks[place], loss=name, metrics=row.metrics, beta=beta)
        changed = replace(data, outline=replace(data.outline, tasks=tuple(tasks)))
        monkeypatch.setattr(engines, "make", lambda form: changed)
        return engines.curve(engine)

    yield train
    torch.compiler.reset()


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {"eager"}))
@pytest.mark.parametrize("name", LOSSES)
def test_all_engines_train_alike(trained: Callable[..., Tensor], name: str, engine: str) -> None:
    """Within a thousandth: where slopes of +1 and -1 cancel, as those of l1 may, Adam makes a step of the rounding."""
    beta = 0.3 if LOSSES[name].parameter else None
    torch.testing.assert_close(trained(engine, name, beta), trained("eager", name, beta), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("name", WITH_PARAMETER)
def test_the_parameter_changes_the_training(trained: Callable[..., Tensor], name: str, engine: str) -> None:
    usual, stated, other = (trained(engine, name, beta) for beta in (None, LOSSES[name].number(None), 0.3))
    assert torch.equal(usual, stated)
    assert (usual[1:, 2] - other[1:, 2]).abs().min() > 1e-4
    assert not torch.equal(usual[-1, :2], other[-1, :2])  # through the shared layers


def _by_kernel(outputs: list[Tensor], targets: list[Tensor], kinds: list[str], betas: list[float]) -> Tensor:
    return task_losses(outputs, targets, kinds, beta=betas)[1]


def _by_reference(outputs: list[Tensor], targets: list[Tensor], kinds: list[str], betas: list[float]) -> Tensor:
    return per_task_losses(outputs, targets, kinds, betas=betas)
