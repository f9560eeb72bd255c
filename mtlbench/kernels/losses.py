"""The losses of all tasks, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from ..core.losses import LOSSES, LossName
from .base import OURS, Contender, Kernel, Makers, Wrong, expect_close, need_kernels, need_package
from .tensors import Shape, Tensors, elements, shapes

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class TaskLosses(Kernel):
    """The weighted sum of T losses, and its gradient with respect to the outputs, through autograd."""

    outputs: Tensors = Field(description="one tensor per task, such as 4 x 256x10; classes are dimension 1")
    kind: LossName = "cross_entropy"

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Little work."""
        return {"outputs": ["2 x 3x4", "1 x 5x7"]}

    @model_validator(mode="after")
    def _has_classes(self) -> Self:
        flat = [shape for shape in shapes(self.outputs) if len(shape) < 2]
        if flat and LOSSES[self.kind].spans_classes:
            raise ValueError(f"outputs: expected tensors of two dimensions or more for {self.kind}, got {flat[0]}")
        return self

    contenders: ClassVar = {
        "eager": "one call of torch.nn.functional per task, dot product of the losses with the weights, backward",
        "compiled": "torch.compile of the same",
        OURS: "mtlbench.ops.task_losses, backward",
        "liger": "Liger's cross-entropy for each task, dot product of the losses with the weights, backward",
    }

    @property
    def shape(self) -> str:
        """The outputs and the kind of loss."""
        return f"{', '.join(self.outputs)} {self.kind}"

    def traffic(self) -> int:
        """4 bytes read and 4 written for each output; 4 for its target, or 8 for the label of each row of classes."""
        if LOSSES[self.kind].kind != "classification":
            return 12 * elements(self.outputs)
        rows = sum(prod(shape) // shape[1] for shape in shapes(self.outputs))
        return 8 * elements(self.outputs) + 8 * rows

    def prepare(self, device: torch.device) -> Makers:
        """Targets and weights are common to all; each contender has its outputs and their gradients."""
        import torch

        from ..ops import task_losses
        from ..ops.eager_losses import per_task_losses

        chance = torch.Generator().manual_seed(0)
        outputs = [torch.randn(shape, generator=chance).to(device) for shape in shapes(self.outputs)]
        targets = [_target(self.kind, shape, chance).to(device) for shape in shapes(self.outputs)]
        weights = torch.rand(len(outputs), generator=chance).to(device)
        kinds = [self.kind] * len(outputs)

        def total(mine: list[Tensor]) -> Tensor:
            losses = per_task_losses(mine, targets, kinds, ignore_index=None)
            return torch.dot(weights.to(losses.dtype), losses)

        expected = _gradients(outputs, total)
        slack = [1e-6 * size for size in _sizes(self.kind, outputs, expected, weights)]

        def contender(form: Callable[[list[Tensor]], Tensor]) -> Contender:
            return _through_autograd([output.clone().requires_grad_() for output in outputs], form, expected, slack)

        def ours() -> Contender:
            need_kernels(device)
            return contender(lambda mine: task_losses(mine, targets, kinds, weights, ignore_index=None)[0])

        def liger() -> Contender:
            form = _liger(self.kind, device)
            return contender(lambda mine: torch.dot(weights, torch.stack(list(map(form, mine, targets)))))

        return {
            "eager": lambda: contender(total),
            "compiled": lambda: contender(torch.compile(total, fullgraph=True)),
            OURS: ours,
            "liger": liger,
        }


def _target(kind: str, shape: Shape, chance: torch.Generator) -> Tensor:
    import torch

    if LOSSES[kind].kind == "classification":
        return torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=chance)
    draw = torch.rand if LOSSES[kind].kind == "binary" else torch.randn
    return draw(shape, generator=chance)


def _gradients(outputs: list[Tensor], total: Callable[[list[Tensor]], Tensor]) -> list[Tensor]:
    """The expected gradients of every contender, from float64."""
    exact = [output.double().requires_grad_() for output in outputs]
    total(exact).backward()
    return [output.grad for output in exact if output.grad is not None]


def _sizes(kind: str, outputs: list[Tensor], expected: list[Tensor], weights: Tensor) -> list[Tensor]:
    """The magnitude of the terms that each gradient is the difference of: where they cancel, their rounding errors
    remain. It is lambda / N over N positions, and lambda / (N |x|) for directions.
    """
    sizes = []
    for output, exact, weight in zip(outputs, expected, weights.double(), strict=True):
        positions = output.numel() // (output.shape[1] if LOSSES[kind].spans_classes else 1)
        terms = weight / positions
        if LOSSES[kind].kind == "direction":
            terms = terms / output.double().norm(dim=1, keepdim=True)
        sizes.append(terms + exact.abs().max())
    return sizes


def _through_autograd(
    outputs: list[Tensor], form: Callable[[list[Tensor]], Tensor], expected: list[Tensor], slack: list[Tensor]
) -> Contender:
    def call() -> None:
        for output in outputs:
            output.grad = None
        form(outputs).backward()

    def check(calls: int) -> None:
        for t, (output, exact, atol) in enumerate(zip(outputs, expected, slack, strict=True)):
            if output.grad is None:
                raise Wrong(f"task {t}: no gradient")
            expect_close(f"gradient of task {t}", output.grad, exact, 1e-4, atol)

    return Contender(call, check)


def _liger(kind: str, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    from ..core.errors import UnavailableError

    need_package("liger_kernel", device)
    if kind != "cross_entropy":
        raise UnavailableError(f"liger has no kernel of {kind}")
    from liger_kernel.transformers.functional import liger_cross_entropy

    # Its kernel overwrites its input with the gradient, but here the input is used again.
    return lambda output, target: liger_cross_entropy(output.clone(), target)
