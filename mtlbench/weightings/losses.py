"""Constant weightings: the state is the vector of weights."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..core.errors import UnavailableError, did_you_mean
from ..core.settings import MAX_CANDIDATES
from ..core.simplex import compositions
from .base import Claim, Need, Shown, Weighting

if TYPE_CHECKING:
    from torch import Tensor, device

    from ..core.trial import Spec

_Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_TOLERANCE = 1e-6
CROSS_VALIDATED = "cross_validated"


class Equal(Weighting):
    """Equal weights: lambda_t = 1/T, the gradient of the mean loss."""

    needs: ClassVar[Need] = Need(0)
    recordable: ClassVar[bool] = True
    uniform: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.CONVEX | Claim.LINEAR | Claim.STRONG

    def start(self, tasks: tuple[str, ...], device: device) -> Tensor:
        """The weights."""
        import torch

        return torch.full((len(tasks),), 1 / len(tasks), device=device)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """The same weights at every step."""
        return state, state


class Sum(Weighting):
    """The plain sum: lambda_t = 1, T times the gradient of the mean loss."""

    needs: ClassVar[Need] = Need(0)
    recordable: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.LINEAR | Claim.STRONG

    def start(self, tasks: tuple[str, ...], device: device) -> Tensor:
        """The weights."""
        import torch

        return torch.ones(len(tasks), device=device)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """The same weights at every step."""
        return state, state


class Fixed(Weighting):
    """Weights chosen by hand, or cross-validated: lambda_t = w_t, with sum w_t = 1 (linear scalarization).

    ``weights: cross_validated`` tries every lambda on the simplex whose lambda_t are positive multiples of 1/parts.
    Each is trained K times on the training split without one of its K folds, as separate trials; the lambda with the
    lowest mean over folds of mean_t L_t / L_t(0) on the held-out fold is then trained on the whole training split.
    Every seed chooses separately, so that no row of its test split has an influence. Folds divide rows at random.
    """

    needs: ClassVar[Need] = Need(0)
    recordable: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.CONVEX | Claim.LINEAR

    weights: dict[str, _Weight] | list[_Weight] | Literal["cross_validated"] = Field(
        description="{task: weight}, a list in the order of tasks, or cross_validated"
    )
    normalize: bool = Field(False, description="divide the weights by their sum")
    folds: int = Field(3, ge=2, le=20, description="K of cross_validated")
    parts: int = Field(6, ge=2, description="cross_validated tries all positive multiples of 1/parts that sum to 1")

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Weights of tasks a, b and c."""
        return {"weights": {"a": 0.5, "b": 0.3, "c": 0.2}}

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        if self.weights == CROSS_VALIDATED:
            return self
        total = sum(self._values())
        if total <= 0:
            raise ValueError(f"weights: expected a positive sum, got {total:g}")
        if not self.normalize and abs(total - 1) > _TOLERANCE:
            raise ValueError(f"weights: expected a sum of 1, got {total:g}; correct them, or set normalize: true")
        return self

    def _values(self) -> list[float]:
        return list(self.weights.values()) if isinstance(self.weights, dict) else list(map(float, self.weights))

    @property
    def chosen_by_folds(self) -> bool:
        """Whether ``weights`` is ``cross_validated``."""
        return self.weights == CROSS_VALIDATED

    def candidates(self, tasks: tuple[str, ...]) -> tuple[int, tuple[Spec, ...]]:
        """All lambda of the grid, if they are to be cross-validated; a single task has only one."""
        if not self.chosen_by_folds:
            return 0, ()
        grid = compositions(self.parts, len(tasks)) if len(tasks) > 1 else [(self.parts,)]
        specs = ([round(part / self.parts, 12) for part in parts] for parts in grid)
        settings = self.model_dump(mode="json") | {"name": "fixed"}
        return self.folds, tuple({**settings, "weights": weights} for weights in specs)

    def check(self, tasks: tuple[str, ...]) -> list[str]:
        """Mismatches between weights and tasks."""
        if self.weights == CROSS_VALIDATED:
            count = comb(self.parts - 1, len(tasks) - 1)
            if 1 <= count <= MAX_CANDIDATES:
                return []
            return [f"parts: expected 1 to {MAX_CANDIDATES} weights on the simplex for {len(tasks)} tasks, got "
                    f"{count:,}: parts of at least {len(tasks)} tries more, fewer parts less"]  # fmt: skip
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

        if self.weights == CROSS_VALIDATED:
            raise UnavailableError("weights: cross_validated is chosen by `mtlbench run`, trial by trial: give numbers")
        values = [self.weights[name] for name in tasks] if isinstance(self.weights, dict) else self.weights
        weights = torch.tensor(values, dtype=torch.float64)
        return (weights / weights.sum()).to(device, torch.float32)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """The same weights at every step."""
        return state, state
