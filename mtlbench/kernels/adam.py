"""Adam over many parameters, with one gradient each or with those of several tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import OURS, Contender, Kernel, Makers, Wrong, need_few, need_kernels, need_package
from .tensors import Tensors, elements, shapes

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LR, EPS = 1e-3, 1e-8
_MOST_COMPILED = 64


class Adam(Kernel):
    """One Adam step over a list of tensors, each with one gradient."""

    tensors: Tensors = Field(description="the parameters, such as 100 x 64x64")

    contenders: ClassVar = {
        "eager": "torch.optim.Adam, parameter by parameter",
        "foreach": "torch.optim.Adam(foreach=True)",
        "torch_fused": "torch.optim.Adam(fused=True)",
        "compiled": "torch.compile around torch.optim.Adam's step",
        OURS: "mtlbench.FusedAdam",
        "apex": "apex.optimizers.FusedAdam",
    }

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Little work."""
        return {"tensors": ["2 x 3x4", "1 x 5x7"]}

    @property
    def shape(self) -> str:
        """The tensors as the suite writes them."""
        return ", ".join(self.tensors)

    def traffic(self) -> int:
        """24 bytes per parameter (p, m and v read and written) and 4 for each of its gradients."""
        return (24 + 4 * self._tasks) * elements(self.tensors)

    @property
    def _tasks(self) -> int:
        return 1

    def prepare(self, device: torch.device) -> Makers:
        """Gradients are common to all; each contender has its parameters and moments."""
        work = _Updates(self.tensors, self._tasks, device)
        return {
            "eager": lambda: work.of_torch({"foreach": False}),
            "foreach": lambda: work.of_torch({"foreach": True}),
            "torch_fused": lambda: work.of_torch(_fused(device)),
            "compiled": lambda: work.compiled_step(),
            OURS: lambda: work.of_ours(),
            "apex": lambda: work.of_apex(),
        }


class CombinedAdam(Adam):
    """T task gradients per tensor, their weighted sum, and one Adam step on it."""

    tasks: int = Field(4, ge=2, description="gradients per parameter")

    contenders: ClassVar = {
        "eager": "sum of the weighted gradients, then torch.optim.Adam, parameter by parameter",
        "foreach": "torch._foreach combination, then torch.optim.Adam(foreach=True)",
        "torch_fused": "torch._foreach combination, then torch.optim.Adam(fused=True)",
        "compiled": "torch.compile of the combination, then torch.optim.Adam(fused=True)",
        OURS: "mtlbench.FusedAdam.step(task_gradients=…): combination and update in one launch",
    }

    @property
    def shape(self) -> str:
        """The number of tasks, and the tensors."""
        return f"T={self.tasks}, {super().shape}"

    @property
    def _tasks(self) -> int:
        return self.tasks

    def prepare(self, device: torch.device) -> Makers:
        """Gradients and weights are common to all; each contender has its parameters and moments."""
        import torch

        work = _Updates(self.tensors, self.tasks, device)

        def compiled() -> Contender:
            need_few(len(work.start) * self.tasks, _MOST_COMPILED)
            return work.of_torch(_fused(device), torch.compile(work.combine_one_by_one, fullgraph=True))

        return {
            "eager": lambda: work.of_torch({"foreach": False}, work.combine_one_by_one),
            "foreach": lambda: work.of_torch({"foreach": True}, work.combine_foreach),
            "torch_fused": lambda: work.of_torch(_fused(device), work.combine_foreach),
            "compiled": compiled,
            OURS: lambda: work.of_ours(),
        }


def _fused(device: torch.device) -> dict[str, Any]:
    return {"fused": True, "capturable": device.type == "cuda"}  # so that a CUDA graph can capture it


class _Updates:
    """Parameters, their gradients g_t and weights lambda_t, drawn once; and the expected result of k steps.

    Under a constant gradient g the moments are m = (1 - b1^k) g and v = (1 - b2^k) g^2, so every step moves p by
    -lr u(g) with u(g) = g / (|g| + eps), whatever k. u increases with g, so u(g - d) and u(g + d) bound it, where d is
    the rounding error of the combination, which decides the sign where weighted gradients cancel.
    """

    def __init__(self, tensors: Sequence[str], tasks: int, device: torch.device) -> None:
        import torch

        chance = torch.Generator().manual_seed(0)

        def draw() -> list[Tensor]:
            return [torch.randn(shape, generator=chance).to(device) for shape in shapes(tensors)]

        self.device, self.start, self.gradients = device, draw(), [draw() for _ in range(tasks)]
        self.weights = None if tasks == 1 else torch.rand(tasks, generator=chance).to(device)
        self.bounds = [self._bounds(i) for i in range(len(self.start))]

    def _bounds(self, i: int) -> tuple[Tensor, Tensor]:
        """u(g - d) and u(g + d) of one parameter, computed in float64."""
        weights = [1.0] if self.weights is None else self.weights.tolist()
        terms = [weight * of_task[i].double() for weight, of_task in zip(weights, self.gradients, strict=True)]
        total, size = sum(terms), sum(term.abs() for term in terms)
        rounding = len(terms) * 2.0**-23 * size
        low, high = total - rounding, total + rounding
        return (low / (low.abs() + EPS)).float(), (high / (high.abs() + EPS)).float()

    def of_torch(self, options: dict[str, Any], combine: Callable[..., Sequence[Tensor]] | None = None) -> Contender:
        """torch's Adam, after combining the gradients if there are several."""
        import torch

        params = self._params()
        optimizer = torch.optim.Adam(params, LR, eps=EPS, **options)

        def call() -> None:
            if combine is not None:
                for p, g in zip(params, combine(self.gradients, self.weights), strict=True):
                    p.grad = g
            optimizer.step()

        return Contender(call, self._checker(params))

    def compiled_step(self) -> Contender:
        """torch.compile around the whole step."""
        import torch

        need_few(len(self.start), _MOST_COMPILED)
        params = self._params()
        optimizer = torch.optim.Adam(params, LR, eps=EPS)
        return Contender(torch.compile(optimizer.step), self._checker(params))

    def of_ours(self) -> Contender:
        """FusedAdam, which combines by itself."""
        from ..fused_adam import FusedAdam

        need_kernels(self.device)
        params = self._params()
        optimizer = FusedAdam(params, LR, eps=EPS)
        if self.weights is None:
            return Contender(optimizer.step, self._checker(params))
        gradients, weights = self.gradients, self.weights
        step = optimizer.step
        return Contender(lambda: step(task_gradients=gradients, task_weights=weights), self._checker(params))

    def of_apex(self) -> Contender:
        """apex's Adam."""
        need_package("apex", self.device)
        from apex.optimizers import FusedAdam

        params = self._params()
        return Contender(FusedAdam(params, LR, eps=EPS).step, self._checker(params))

    @staticmethod
    def combine_one_by_one(gradients: list[list[Tensor]], weights: Tensor) -> list[Tensor]:
        """sum_t lambda_t g_t, one parameter at a time."""
        return [
            sum(w * g for w, g in zip(weights, of_parameter, strict=True))
            for of_parameter in zip(*gradients, strict=True)
        ]

    @staticmethod
    def combine_foreach(gradients: list[list[Tensor]], weights: Tensor) -> Sequence[Tensor]:
        """The same with torch._foreach, one task at a time."""
        import torch

        # On a CPU Python scalars are cheapest; on a GPU reading them would make every call wait for the device.
        if weights.is_cuda:
            weighted = [torch._foreach_mul(of_task, w) for of_task, w in zip(gradients, weights, strict=True)]
            for other in weighted[1:]:
                torch._foreach_add_(weighted[0], other)
            return weighted[0]
        first, *rest = weights.tolist()
        combined = torch._foreach_mul(gradients[0], first)
        for weight, of_task in zip(rest, gradients[1:], strict=True):
            torch._foreach_add_(combined, of_task, alpha=weight)
        return combined

    def _params(self) -> list[Tensor]:
        import torch

        params: list[Tensor] = [torch.nn.Parameter(p.clone()) for p in self.start]
        if self.weights is None:
            for p, g in zip(params, self.gradients[0], strict=True):
                p.grad = g
        return params

    def _checker(self, params: list[Tensor]) -> Callable[[int], None]:
        """Each step may add a rounding error of one unit in the last place of p and a thousandth of the update."""

        def check(calls: int) -> None:
            for i, (p, start, (low, high)) in enumerate(zip(params, self.start, self.bounds, strict=True)):
                moved, far = (start - p.detach()) / (calls * LR), 1e-3 + 2.0**-22 * (1 + start.abs() + calls * LR) / LR
                off = float(((low - far) - moved).max()), float((moved - (high + far)).max())
                if not max(off) <= 0:  # NaN is not
                    raise Wrong(f"parameter {i} after {calls} steps: off by {max(off):.3g} learning rates per step")

        return check
