"""No network: the parameters are the point at which the formulas of an analytic problem are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..core.task import Outline, TaskSpec
from .base import Architecture, Seeded

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .base import Inputs


class Point(Architecture):
    """The point x itself, for problems whose tasks are formulas of x: output_t = f_t(x) minus its lower bound.

    The problem sets the starting point. The coordinates of x and its gap to Pareto optimality are recorded after each
    epoch. The default is float64; the papers' code uses float32.
    """

    analytic: ClassVar[bool] = True

    dtype: Literal["float32", "float64"] = Field("float64", description="precision of x and of the formulas")

    def check(self, outline: Outline) -> list[str]:
        """The problem must be analytic, with a formula for each task."""
        if not outline.objectives:
            return [
                "expected a problem whose tasks are formulas of a point, got one with data: choose another architecture"
            ]
        formulas = outline.objectives.names
        return [
            f"task '{name}': expected the name of one of the problem's formulas ({', '.join(formulas)})"
            for name in outline.names
            if name not in formulas
        ]

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """x, with the formulas."""
        import torch
        from torch import nn

        assert outline.objectives is not None
        module = nn.Module()
        module.x = nn.Parameter(torch.tensor(outline.objectives.start, dtype=getattr(torch, self.dtype)))
        module.objectives = outline.objectives  # type: ignore[assignment]
        return module

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """A module without parameters that stores which formula is the task's."""
        from torch import nn

        assert outline.objectives is not None
        module = nn.Module()
        module.objectives = outline.objectives  # type: ignore[assignment]
        module.t = outline.objectives.names.index(task.name)  # type: ignore[assignment]
        return module

    def represent(self, shared: Any, inputs: Inputs) -> Any:
        """x once for each row."""
        return shared.x.expand(len(inputs), -1)

    def predict(self, representation: Any, tasks: Mapping[str, Any]) -> dict[str, Tensor]:
        """Each formula at x, minus its lower bound."""
        import torch

        return {
            name: (part.objectives.value(part.t, representation, torch) - part.objectives.lower[part.t]).unsqueeze(-1)
            for name, part in tasks.items()
        }

    def observe(self, shared: nn.Module) -> dict[str, float]:
        """x1, x2 … and the gap."""
        module: Any = shared
        point = module.x.detach().double().cpu().numpy()
        return {**{f"x{i + 1}": float(v) for i, v in enumerate(point)}, "gap": module.objectives.gap(point)}
