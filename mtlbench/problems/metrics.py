"""The key that chooses the metrics of a problem whose tasks are fixed or determined by its files."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from ..core.errors import DataError, did_you_mean
from ..core.metrics import MetricError, MetricNames
from ..core.task import Outline
from .base import Problem


class WithMetrics(Problem):
    """A problem that takes ``metrics: {task: [macro_f1, accuracy]}``; its ``outline`` returns ``self.ranked(…)``."""

    metrics: dict[str, MetricNames] = Field(
        {}, description="metrics of a task, by its name, instead of the usual ones; the first one ranks methods"
    )

    def ranked(self, outline: Outline) -> Outline:
        """The outline with the chosen metrics.

        Raises DataError for a task that does not exist, and MetricError for a metric that does not fit its task.
        """
        for name in self.metrics:
            if name not in outline.names:
                raise DataError(f"metrics: no task '{name}', {did_you_mean(name, outline.names)}")
        try:
            tasks = tuple(replace(task, metrics=self.metrics.get(task.name, task.metrics)) for task in outline.tasks)
        except MetricError as error:
            raise MetricError(f"metrics: {error}") from error
        return replace(outline, tasks=tasks)
