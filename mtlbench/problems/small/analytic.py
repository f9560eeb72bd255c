"""Problems without data: the tasks are formulas of a point, with known Pareto sets."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ...core.objectives import Bowls, Objectives, TwoValleys
from ...core.task import Data, Outline, Split, TaskSpec
from ..base import Problem
from ..splits import generator

if TYPE_CHECKING:
    from ...core.task import Array

_Point2 = Annotated[tuple[float, float], Field(strict=False)]


class Analytic(Problem):
    """T formulas f_t of a point x, which architecture ``point`` has as its parameters in place of a network.

    Task t's output is f_t(x) minus a lower bound of f_t, its target 0 and its loss l1, so that the loss is f_t up to a
    constant; metrics are in the unit of f_t minus the bound. Rows carry no information: with
    ``train: {batch_size: 1}``, one row of the training split is one step.
    """

    steps: int = Field(1000, ge=1, description="rows of the training split, so steps of an epoch with batch_size: 1")

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Few steps."""
        return {"steps": 30}

    @abstractmethod
    def objectives(self) -> Objectives:
        """The formulas, without a starting point."""

    @abstractmethod
    def start(self, seed: int) -> tuple[float, ...]:
        """The starting point of x."""

    def outline(self, root: Path) -> Outline:
        """Tasks f1 .. fT."""
        objectives = self.objectives()
        tasks = tuple(TaskSpec(name, 1, "l1", ("mae",)) for name in objectives.names)
        return Outline(tasks, (1,), self.steps + 2, objectives=objectives, seeds=self.seeds())

    def seeds(self) -> int | None:
        """The number of starting points, None if unlimited."""
        return None

    def load(self, seed: int, root: Path) -> Data:
        """Numbered rows; the seed affects only the starting point."""
        import numpy as np

        outline = self.outline(root)
        numbers = np.arange(outline.rows, dtype="float32")[:, None]
        started = replace(outline, objectives=replace(self.objectives(), start=self.start(seed)))
        parts = np.split(numbers, [self.steps, self.steps + 1])
        return Data(started, *(self._split(outline.names, rows) for rows in parts))

    @staticmethod
    def _split(names: tuple[str, ...], rows: Array) -> Split:
        return Split(rows, dict.fromkeys(names, 0 * rows))


class Toy(Analytic):
    """Two objectives of two numbers, where descending their plain mean can get stuck in a valley off the Pareto front.

    Formulas: ``mtlbench.core.objectives.TwoValleys``. Seed s starts at the s-th of ``starts``; there are no more seeds
    than starts. Source: Liu et al., Conflict-Averse Gradient Descent, NeurIPS 2021; with ``scale`` 0.1 Navon et al.,
    Multi-Task Learning as a Bargaining Game, ICML 2022.
    """

    scale: float = Field(1.0, gt=0, description="factor of f1; 1 in the CAGrad paper, 0.1 in the Nash-MTL paper")
    starts: Annotated[tuple[_Point2, ...], Field(strict=False, min_length=1)] = Field(
        ((-8.5, 7.5), (-8.5, -5.0), (9.0, 9.0)), description="starting points of seeds 0, 1, 2 …"
    )

    def objectives(self) -> TwoValleys:
        """The two objectives, f1 scaled by ``scale``."""
        return TwoValleys(scale=self.scale)

    def start(self, seed: int) -> tuple[float, ...]:
        """The entry of ``starts`` for this seed."""
        return self.starts[seed]

    def seeds(self) -> int:
        """One seed per starting point."""
        return len(self.starts)


class Quadratics(Analytic):
    """T quadratic bowls around points on a circle: the Pareto set is the polygon that they span.

    f_t(x) = s_t ||x - a_t||^2 / 2, see ``mtlbench.core.objectives.Bowls``. Seeds start anywhere in [-3, 3]^d.
    """

    tasks: int = Field(3, ge=2, description="number of bowls T")
    dimensions: int = Field(2, ge=2, description="numbers in x")
    ratio: float = Field(10.0, ge=1, description="steepest over flattest bowl")

    def objectives(self) -> Bowls:
        """The bowls."""
        return Bowls(tasks=self.tasks, dimensions=self.dimensions, ratio=self.ratio)

    def start(self, seed: int) -> tuple[float, ...]:
        """A random point."""
        return tuple(generator(seed, "start").uniform(-3, 3, self.dimensions).tolist())
