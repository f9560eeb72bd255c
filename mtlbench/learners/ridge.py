"""Ridge regression, per task or pooled: the baselines that relation learning has to beat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ..core.task import Outline, TaskSpec
from .relation.base import Candidates, Fit, LinearLearner, Parameters
from .relation.statistics import Statistics


class Ridge(LinearLearner):
    """Ridge regression, one per task or one for all: min ‖y - X w - c‖² + λ ‖w‖², the offset c unpenalised.

    ``scope: task`` fits every task separately, each with a penalty chosen on the task's rows; ``scope: one_penalty``
    does the same with one λ for all tasks, chosen by the squared error on the held-out rows of all of them together,
    for features on one scale: what relation learners choose by too, so that a gain over it comes of related weights and
    not of a better chosen penalty. ``scope: pooled`` ignores which task a row is from. λ is chosen by cross-validation
    on training rows. Source: Hoerl and Kennard, Ridge regression, Technometrics 1970.
    """

    searched: ClassVar[tuple[str, ...]] = ("penalty",)

    scope: Literal["task", "one_penalty", "pooled"] = Field(
        "task", description="one model per task, each with its own penalty or all with one; or one model of all rows"
    )
    penalty: Candidates = Field(
        (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0), description="values to try for λ"
    )

    def groups(self, tasks: tuple[TaskSpec, ...]) -> Iterable[tuple[TaskSpec, ...]]:
        """Tasks that are fitted together."""
        return [(task,) for task in tasks] if self.scope == "task" else (tasks,)

    def check(self, outline: Outline) -> Iterator[str]:
        """Pooling needs tasks with the same loss and number of outputs."""
        yield from super().check(outline)
        kinds = sorted({f"{task.loss} with {task.outputs} outputs" for task in outline.tasks})
        if self.scope == "pooled" and len(kinds) > 1:
            yield f"scope: expected tasks of one kind to pool, got {', '.join(kinds)}; use scope: task"

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """The weights of the model that the group shares, or of one model per task."""
        width = statistics.moment.shape[1]
        penalty = np.append(np.full(width - 1, parameters["penalty"]), 1e-9)  # keeps a fold without rows solvable
        gram, moment = statistics.gram, statistics.moment
        if self.scope == "pooled":
            gram = gram.reshape(len(tasks), -1, width, width).sum(0)
            moment = moment.reshape(len(tasks), -1, width).sum(0)
        weights = np.linalg.solve(gram + np.diag(penalty), moment[..., None])[..., 0]
        return Fit(np.tile(weights, (len(statistics.moment) // len(weights), 1)), parameters=weights.size)
