"""The Gramian of the task gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

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

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Little work."""
        return {"tensors": ["2 x 3x4", "1 x 5x7"]}

    @property
    def shape(self) -> str:
        """The number of tasks, and the tensors."""
        return f"T={self.tasks}, {', '.join(self.tensors)}"

    def traffic(self) -> int:
        """4 bytes for each number of each gradient, read once."""
        return 4 * self.tasks * elements(self.tensors)

    def prepare(self, device: torch.device) -> Makers:
        """Gradients are common to all."""
        from ..ops import gramian

        gradients = self._draw(device)
        exact = _by_tensor([[g.double() for g in of_task] for of_task in gradients])

        def contender(form: Callable[[list[list[Tensor]]], Tensor]) -> Contender:
            return _checked(lambda: form(gradients), exact)

        def ours() -> Contender:
            need_kernels(device)
            return contender(gramian)

        return {"eager": lambda: contender(_by_tensor), "stacked": lambda: contender(_stacked), OURS: ours}

    def _draw(self, device: torch.device) -> list[list[Tensor]]:
        """Gradients with a common part, which makes their cosines 1/2 instead of nearly 0."""
        import torch

        chance = torch.Generator().manual_seed(0)
        common = [torch.randn(shape, generator=chance) for shape in shapes(self.tensors)]
        return [[(c + torch.randn(c.shape, generator=chance)).to(device) for c in common] for _ in range(self.tasks)]


def _by_tensor(gradients: list[list[Tensor]]) -> Tensor:
    import torch

    parts = (torch.stack([g.reshape(-1) for g in of_tensor]) for of_tensor in zip(*gradients, strict=True))
    first, *rest = (part @ part.T for part in parts)
    return sum(rest, first)


def _stacked(gradients: list[list[Tensor]]) -> Tensor:
    import torch

    jacobian = torch.stack([torch.cat([g.reshape(-1) for g in of_task]) for of_task in gradients])
    return jacobian @ jacobian.T


def _checked(form: Callable[[], Tensor], exact: Tensor) -> Contender:
    """A contender whose last result is checked, as cosines."""
    results: list[Tensor] = []
    lengths = exact.diagonal().sqrt()

    def call() -> None:
        results[:] = [form()]

    def check(calls: int) -> None:
        if not results:
            raise Wrong("no result")
        outer = lengths * lengths[:, None]
        expect_close("cosines", results[0] / outer, exact / outer, rtol=0.0, atol=0.01)

    return Contender(call, check)
