"""A graph of tasks, supplied by the user, in which neighbours have similar weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from ...core.errors import did_you_mean
from ...core.task import Outline, TaskSpec
from .base import Candidates, Fit, Parameters, RelationLearner
from .solve import solve
from .statistics import Statistics

if TYPE_CHECKING:
    from ...core.task import Array


class Graph(RelationLearner):
    """Tasks joined by an edge of a graph, which the user supplies, get similar weights.

    min Σ_t ‖y_t - X_t w_t‖² + λ_1 ‖W‖² + λ_2 Σ over edges (s, t) of ‖w_s - w_t‖². An edge joins output k of one task
    with output k of the other, so both need the same number. Source: Evgeniou, Micchelli and Pontil, Learning multiple
    tasks with kernel methods, JMLR 2005.
    """

    searched: ClassVar[tuple[str, ...]] = ("offset", "ridge", "likeness")

    edges: Literal["complete"] | tuple[tuple[str, str], ...] = Field(
        "complete", description="pairs of tasks; complete joins all tasks with equally many outputs"
    )
    ridge: Candidates = Field((0.01, 0.1, 1.0, 10.0), description="values to try for λ_1")
    likeness: Candidates = Field((0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), description="values to try for λ_2")

    def check(self, outline: Outline) -> Iterator[str]:
        """Edges need two tasks of the problem with equally many outputs."""
        yield from super().check(outline)
        outputs = {task.name: task.outputs for task in outline.tasks}
        for pair in () if self.edges == "complete" else self.edges:
            unknown = [name for name in pair if name not in outputs]
            if unknown:
                yield f"edges: unknown task '{unknown[0]}', {did_you_mean(unknown[0], outputs)}"
            elif pair[0] == pair[1] or outputs[pair[0]] != outputs[pair[1]]:
                yield f"edges: expected two tasks with equally many outputs, got {pair[0]} and {pair[1]}"

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """Weights under the covariance (λ_1 I + λ_2 L)⁻¹, L the Laplacian of the graph."""
        penalty = parameters["ridge"] * np.eye(len(statistics.moment)) + parameters["likeness"] * self.laplacian(tasks)
        return Fit(solve(statistics, np.linalg.inv(penalty)))

    def laplacian(self, tasks: tuple[TaskSpec, ...]) -> Array:
        """L [C, C] = Σ over edges of (e_s - e_t)(e_s - e_t)ᵀ, over the columns of the tasks."""
        ends = np.cumsum([task.outputs for task in tasks])
        columns = {task.name: range(end - task.outputs, end) for task, end in zip(tasks, ends, strict=True)}
        pairs = combinations(columns, 2) if self.edges == "complete" else self.edges
        alike = ((columns[one], columns[other]) for one, other in pairs if len(columns[one]) == len(columns[other]))
        joined = [edge for one, other in alike for edge in zip(one, other, strict=True)]
        likeness = np.zeros((ends[-1], ends[-1]))
        if joined:
            np.add.at(likeness, tuple(np.transpose(joined)), 1.0)
        likeness += likeness.T
        return np.diag(likeness.sum(0)) - likeness
