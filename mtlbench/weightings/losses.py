"""Weightings that never change: the state is the vector of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from ..core.errors import did_you_mean
from .base import Weighting

if TYPE_CHECKING:
    from torch import Tensor, device

_Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_TOLERANCE = 1e-6


class Equal(Weighting):
    """Every task alike: lambda_t = 1/T, the gradient of the mean loss."""

    recordable: ClassVar[bool] = True

    def start(self, tasks: tuple[str, ...], device: device) -> Tensor:
        """The weights."""
        import torch

        return torch.full((len(tasks),), 1 / len(tasks), device=device)

    def weigh(self, statistic: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The same weights at every step."""
        return state, state


class Fixed(Weighting):
    """Weights chosen by hand: lambda_t = w_t, with sum w_t = 1 (linear scalarization)."""

    recordable: ClassVar[bool] = True

    weights: dict[str, _Weight] | list[_Weight] = Field(description="{task: weight}, or a list in the order of tasks")
    normalize: bool = Field(False, description="divide the weights by their sum")

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = sum(self._values())
        if total <= 0:
            raise ValueError(f"weights: expected a positive sum, got {total:g}")
        if not self.normalize and abs(total - 1) > _TOLERANCE:
            raise ValueError(f"weights: expected a sum of 1, got {total:g}; correct them, or set normalize: true")
        return self

    def _values(self) -> list[float]:
        return list(self.weights.values()) if isinstance(self.weights, dict) else self.weights

    def check(self, tasks: tuple[str, ...]) -> list[str]:
        """Weights and tasks that do not belong together."""
        if not isinstance(self.weights, dict):
            if len(self.weights) == len(tasks):
                return []
            return [f"weights: expected {len(tasks)} values (tasks {', '.join(tasks)}), got {len(self.weights)}"]
        unknown = [f"weights: unknown task '{n}', {did_you_mean(n, tasks)}" for n in self.weights if n not in tasks]
        missing = [
            f"weights: expected a weight for task '{name}', got none" for name in tasks if name not in self.weights
        ]
        return unknown + missing

    def start(self, tasks: tuple[str, ...], device: device) -> Tensor:
        """The weights in the order of the tasks."""
        import torch

        values = [self.weights[name] for name in tasks] if isinstance(self.weights, dict) else self.weights
        weights = torch.tensor(values, dtype=torch.float64)
        return (weights / weights.sum()).to(device, torch.float32)

    def weigh(self, statistic: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The same weights at every step."""
        return state, state
