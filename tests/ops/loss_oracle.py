"""Losses and gradients in float64: labelled positions are picked out first, then the loss's reference takes the mean.

The references are tested against torch in test_eager_losses.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mtlbench.core.losses import LOSSES
from mtlbench.ops.eager_losses import REFERENCES
from mtlbench.ops.task_losses import task_losses

KINDS = tuple(LOSSES)
SPANS_CLASSES = tuple(name for name, row in LOSSES.items() if row.spans_classes)
ALL_KINDS = (*KINDS, "probabilities")

# Rounding of one result of each dtype, relative to the size of what it is made of.
EPSILON = {torch.float64: 2.0**-52, torch.float32: 2.0**-23, torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}


@dataclass(frozen=True)
class Task:
    """One task of a call."""

    kind: str
    output: Tensor
    target: Tensor
    mask: Tensor | None = None
    beta: float = 1.0


@dataclass(frozen=True)
class Options:
    """What all tasks of a call share, by the names of task_losses."""

    reduction: Literal["mean", "sum"] = "mean"
    ignore_index: int = -100
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class Expected:
    """Results in float64, and the sizes of the terms that rounding errors are measured by."""

    total: Tensor
    losses: Tensor
    gradients: list[Tensor]
    scales: list[Tensor] = field(default_factory=list)


def _positions_first(values: Tensor) -> Tensor:
    """[N, C, ...] as [positions, C]."""
    return values.movedim(1, -1).reshape(-1, values.shape[1])


def task_loss(task: Task, x: Tensor, options: Options) -> Tensor:
    """The loss of one task from its outputs x in float64; 0 where nothing is labelled."""
    rows = task.kind in SPANS_CLASSES
    indices = task.kind == "cross_entropy" and not task.target.is_floating_point()
    shape = x.shape[:1] + x.shape[2:] if rows else x.shape
    known = torch.ones(shape, dtype=torch.bool, device=x.device)
    if task.mask is not None:
        known &= task.mask.reshape([*task.mask.shape, *[1] * (len(shape) - task.mask.ndim)])
    if indices:
        known &= task.target != options.ignore_index
    known = known.reshape(-1)
    x = (_positions_first(x) if rows else x.reshape(-1))[known]
    if indices:
        y = task.target.reshape(-1)[known].long()
    else:
        y = (_positions_first(task.target) if rows else task.target.reshape(-1))[known].double()
    if len(x) == 0:
        return x.sum() * 0
    if indices:
        return F.cross_entropy(x, y, reduction=options.reduction, label_smoothing=options.label_smoothing)
    return REFERENCES[task.kind](x, y, task.beta, options.label_smoothing, options.reduction)


def expected(tasks: Sequence[Task], weights: Tensor | None, options: Options) -> Expected:
    """What task_losses should give, and the gradients of the total."""
    xs = [task.output.detach().double().requires_grad_() for task in tasks]
    losses = torch.stack([task_loss(task, x, options) for task, x in zip(tasks, xs, strict=True)])
    total = losses.sum() if weights is None else losses @ weights.detach().double()
    gradients = torch.autograd.grad(total, xs)
    return Expected(total.detach(), losses.detach(), list(gradients))


def make_target(kind: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """A target that suits outputs of this shape."""
    if kind in LOSSES and LOSSES[kind].kind == "classification":
        return torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=generator)
    if kind == "probabilities":
        return torch.rand(shape, generator=generator).softmax(1)
    return torch.rand(shape, generator=generator) * (1 if LOSSES[kind].kind == "binary" else 3)


def make_task(kind: str, shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float32) -> Task:
    """A task of random numbers; kind ``probabilities`` is cross-entropy against probabilities."""
    generator = torch.Generator().manual_seed(seed)
    output = (3 * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)
    target = make_target(kind, shape, generator)
    return Task("cross_entropy" if kind == "probabilities" else kind, output, target)


def to(task: Task, device: torch.device) -> Task:
    """The task on a device."""
    mask = None if task.mask is None else task.mask.to(device)
    return replace(task, output=task.output.to(device), target=task.target.to(device), mask=mask)


def shapes_of(kind: str) -> list[tuple[int, ...]]:
    """Awkward sizes: empty, one, odd, and around the borders of vectors, tiles and rows."""
    if kind in LOSSES and LOSSES[kind].kind == "direction":
        return [(0, 3), (1, 3), (65, 3), (2, 3, 5, 7), (3, 1), (17, 40), (1, 3, 0, 4)]
    if kind in (*SPANS_CLASSES, "probabilities"):
        rows = [(0, 3), (1, 1), (1, 2), (3, 5), (65, 2), (64, 10), (17, 31), (16, 32), (5, 33), (2, 2049), (3, 100)]
        return [*rows, (2, 3, 4), (2, 19, 5, 13), (1, 2, 1, 1), (2, 4, 3, 0), (1, 40, 70)]
    return [(0,), (1,), (3,), (4097,), (5, 0), (33, 31), (2, 1, 8, 8), ()]


def grad_of(tensor: Tensor) -> Tensor:
    """The gradient that a backward pass left."""
    assert tensor.grad is not None
    return tensor.grad


def run(tasks: list[Task], weights: Tensor | None, options: Options) -> tuple[Tensor, Tensor, list[Tensor]]:
    outputs = [task.output.detach().clone(memory_format=torch.preserve_format).requires_grad_() for task in tasks]
    total, losses = task_losses(
        outputs,
        [task.target for task in tasks],
        [task.kind for task in tasks],
        weights,
        reduction=options.reduction,
        ignore_index=options.ignore_index,
        label_smoothing=options.label_smoothing,
        masks=[task.mask for task in tasks] if any(task.mask is not None for task in tasks) else None,
        beta=[task.beta for task in tasks],
    )
    torch.autograd.backward(total)
    return total.detach(), losses.detach(), [grad_of(output) for output in outputs]


def check(tasks: list[Task], weights: Tensor | None = None, options: Options = Options(), slack: float = 1.0) -> None:
    """Losses within a few roundings of the computed type; gradients within two of the stored type."""
    total, losses, gradients = run(tasks, weights, options)
    wanted = expected(tasks, weights, options)
    double = any(task.output.dtype == torch.float64 for task in tasks)
    assert losses.dtype == total.dtype == (torch.float64 if double else torch.float32)
    assert losses.shape == (len(tasks),)
    weighted = [1.0] * len(tasks) if weights is None else weights.tolist()
    error = 0.0  # that the total may have
    for t, task in enumerate(tasks):
        computed = torch.promote_types(task.output.dtype, torch.float32)
        close = slack * 16 * EPSILON[losses.dtype if computed == torch.float64 else torch.float32]
        size = max(1.0, float(wanted.losses[t].abs()))
        assert abs(losses[t].double() - wanted.losses[t]) <= close * size, (t, task.kind, losses[t], wanted.losses[t])
        error += close * abs(weighted[t]) * size
        found, exact = gradients[t], wanted.gradients[t]
        assert found is not None
        assert found.dtype == task.output.dtype
        assert found.shape == task.output.shape
        if found.numel() == 0:
            continue
        positions = 1 if options.reduction == "sum" else max(1, exact.numel())
        floor = abs(weighted[t]) / positions  # gradients are differences of numbers of this size
        bound = 2 * EPSILON[task.output.dtype] * exact.abs() + close * max(floor, float(exact.abs().max()))
        if task.output.dtype == torch.float16:
            bound = bound + 2.0**-24
        assert bool(((found.double() - exact).abs() <= bound).all()), (t, task.kind, task.output.shape)
    assert abs(total.double() - wanted.total) <= error + EPSILON[total.dtype] * abs(wanted.total)


def with_mask(task: Task, share: float, dims: int, seed: int) -> Task:
    positions = task.output.shape
    if task.kind in SPANS_CLASSES:
        positions = positions[:1] + positions[2:]
    generator = torch.Generator().manual_seed(seed)
    return replace(task, mask=torch.rand(positions[:dims], generator=generator) < share)
