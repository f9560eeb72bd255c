"""The Gramian of the task gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .base import OURS, Contender, Kernel, Makers, Wrong, expect_close, need_kernels
from .tensors import Tensors, elements, shapes

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Gramian(Kernel):
    """G = J J^T: all dot products of T task gradients over a list of tensors."""

    tensors: Tensors = Field(description="the parameters, such as 8 x 1M")
    tasks: int = Field(8, ge=2, description="gradients per parameter")

    contenders: ClassVar = {
        "eager": "stack and matmul, parameter by parameter",
        "stacked": "all gradients in one matrix J, then J @ J.T",
        OURS: "mtlbench.ops.gramian",
    }

    @property
    def shape(self) -> str:
        """The number of tasks, and the tensors."""
        return f"T={self.tasks}, {', '.join(self.tensors)}"

    def traffic(self) -> int:
        """4 bytes for each number of each gradient, read once."""
        return 4 * self.tasks * elements(self.tensors)

    def prepare(self, device: torch.device) -> Makers:
        """Gradients common to all."""
        import torch

        from ..ops import gramian

        chance = torch.Generator().manual_seed(0)
        parameters = shapes(self.tensors)
        common = [torch.randn(s, generator=chance) for s in parameters]  # makes the cosines 1/2 instead of all but 0
        gradients = [
            [(c + torch.randn(c.shape, generator=chance)).to(device) for c in common] for _ in range(self.tasks)
        ]
        squared = sum(_rows(own).double().square().sum(1) for own in zip(*gradients, strict=True))
        exact = sum(_rows(own).double() @ _rows(own).double().T for own in zip(*gradients, strict=True))

        def one_by_one() -> Tensor:
            parts = (_rows(own) for own in zip(*gradients, strict=True))
            return sum((part @ part.T for part in parts), torch.zeros(self.tasks, self.tasks, device=device))

        def stacked() -> Tensor:
            jacobian = torch.stack([torch.cat([g.reshape(-1) for g in of_task]) for of_task in gradients])
            return jacobian @ jacobian.T

        def ours() -> Contender:
            need_kernels(device)
            return contender(lambda: gramian(gradients))

        def contender(form: Callable[[], Tensor]) -> Contender:
            kept: list[Tensor] = []

            def call() -> None:
                kept[:] = [form()]

            def check(calls: int) -> None:
                if not kept:
                    raise Wrong("no result")
                lengths = torch.as_tensor(squared).sqrt()
                expect_close(
                    "cosines", kept[0] / lengths / lengths[:, None], exact / lengths / lengths[:, None], 0, 0.01
                )

            return Contender(call, check)

        return {"eager": lambda: contender(one_by_one), "stacked": lambda: contender(stacked), OURS: ours}


def _rows(own: tuple[Tensor, ...]) -> Tensor:
    import torch

    return torch.stack([gradient.reshape(-1) for gradient in own])
