"""Linear heads on shared features: outputs, losses, gradients and their update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import OURS, Contender, Kernel, Makers, Wrong, expect_close, need_kernels

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LR = 1e-3
Results = tuple["Tensor", "Tensor"]  # losses [T], and the gradient of their sum with respect to the features


class Heads(Kernel):
    """Linear heads on shared features: outputs, cross-entropies, the features' gradient, and Adam on the heads."""

    rows: int = Field(256, ge=1, description="rows of a step")
    features: int = Field(128, ge=1, description="features of a row")
    heads: int = Field(4, ge=1, description="tasks")
    classes: int = Field(10, ge=2, description="classes of each task")

    contenders: ClassVar = {
        "eager": "torch.nn.functional, backward, torch.optim.Adam, parameter by parameter",
        "torch_fused": "torch.nn.functional, backward, torch.optim.Adam(fused=True)",
        "compiled": "torch.compile of outputs and losses, backward, torch.optim.Adam(fused=True)",
        OURS: "mtlbench.ops.step_heads_",
    }

    @property
    def shape(self) -> str:
        """Features, heads and rows."""
        return f"{self.rows}x{self.features}, {self.heads} heads of {self.classes}"

    def traffic(self) -> int:
        """24 bytes per parameter (p, m, v read and written), 8 per feature (read, derivative written), 8 per label."""
        parameters = self.heads * self.classes * (self.features + 1)
        return 24 * parameters + 8 * self.rows * self.features + 8 * self.rows * self.heads

    def prepare(self, device: torch.device) -> Makers:
        """Features and labels are common to all; each contender has its heads and moments."""
        import torch

        work = _Heads(self, device)
        fused = {"fused": True, "capturable": device.type == "cuda"}
        return {
            "eager": lambda: work.contender(work.by_autograd(torch.float32, _losses, {"foreach": False})),
            "torch_fused": lambda: work.contender(work.by_autograd(torch.float32, _losses, fused)),
            "compiled": lambda: work.contender(
                work.by_autograd(torch.float32, torch.compile(_losses, fullgraph=True), fused)
            ),
            OURS: lambda: work.contender(work.by_step_heads()),
        }


class _Heads:
    """Data and initial heads; and the expected result of every step, from a float64 run of torch."""

    def __init__(self, kernel: Heads, device: torch.device) -> None:
        import torch

        chance = torch.Generator().manual_seed(0)
        draw = partial(torch.randn, generator=chance)
        size = (kernel.classes, kernel.features)
        self.device = device
        self.features = draw(kernel.rows, kernel.features).to(device)
        self.start = [(0.1 * draw(size).to(device), 0.1 * draw(size[0]).to(device)) for _ in range(kernel.heads)]
        self.targets = [
            torch.randint(kernel.classes, (kernel.rows,), generator=chance).to(device) for _ in range(kernel.heads)
        ]
        self.reference = self.by_autograd(torch.float64, _losses, {"foreach": False})
        self.expected: list[Results] = []

    def by_autograd(
        self, dtype: torch.dtype, losses_of: Callable[..., Tensor], options: dict[str, Any]
    ) -> Callable[[], Results]:
        """Steps by torch."""
        import torch

        h = self.features.to(dtype).requires_grad_()
        heads = [
            (torch.nn.Parameter(w.to(dtype, copy=True)), torch.nn.Parameter(b.to(dtype, copy=True)))
            for w, b in self.start
        ]
        optimizer = torch.optim.Adam([p for head in heads for p in head], LR, **options)

        def step() -> Results:
            optimizer.zero_grad()
            h.grad = None
            losses = losses_of(h, heads, self.targets)
            losses.sum().backward()
            optimizer.step()
            assert h.grad is not None
            return losses.detach(), h.grad

        return step

    def by_step_heads(self) -> Callable[[], Results]:
        """Steps by our kernel."""
        import torch

        from ..ops.step_heads import step_heads_

        need_kernels(self.device)
        heads = [(w.clone(), b.clone()) for w, b in self.start]
        m, v = ([(torch.zeros_like(w), torch.zeros_like(b)) for w, b in heads] for _ in range(2))
        count, kinds = torch.zeros((), device=self.device), ["cross_entropy"] * len(heads)

        def step() -> Results:
            losses, derivative = step_heads_(self.features, heads, self.targets, kinds, None, m, v, count, lr=LR)
            assert isinstance(derivative, torch.Tensor)
            return losses, derivative

        return step

    def contender(self, step: Callable[[], Results]) -> Contender:
        """Compare losses and derivative of the last step with those of the float64 run."""
        last: list[Results] = []

        def call() -> None:
            last[:] = [step()]

        def check(calls: int) -> None:
            if not last:
                raise Wrong("no step was made")
            while len(self.expected) < calls:
                losses, derivative = self.reference()
                self.expected.append((losses.clone(), derivative.clone()))
            (losses, derivative), (exact, slope) = last[0], self.expected[calls - 1]
            expect_close(f"losses of step {calls}", losses, exact, rtol=1e-3)
            expect_close(
                f"derivative of step {calls}", derivative, slope, rtol=1e-3, atol=1e-2 * float(slope.abs().max())
            )

        return Contender(call, check)


def _losses(h: Tensor, heads: list[tuple[Tensor, Tensor]], targets: list[Tensor]) -> Tensor:
    import torch
    import torch.nn.functional as F

    outputs = [F.linear(h, w, b) for w, b in heads]
    return torch.stack([F.cross_entropy(x, y) for x, y in zip(outputs, targets, strict=True)])
