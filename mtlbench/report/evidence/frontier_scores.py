"""The main metrics of one point of a scalarization frontier, or of one method, on test and validation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from .frames import Task
from .statistics import Array


@dataclass(frozen=True)
class Scores:
    """Main metrics of one point or method: a row for each complete seed, a column for each task; of the test split,
    and of the validation split in the epoch that was kept.
    """

    test: pd.DataFrame
    validation: pd.DataFrame

    def at(self, seeds: Sequence[int], unit_T: Array) -> tuple[Array, Array]:
        """Arrays [S, T] of both, times a unit whose sign makes larger values better."""
        on_test, on_validation = (frame.loc[list(seeds)].to_numpy() * unit_T for frame in (self.test, self.validation))
        return on_test, on_validation

    @property
    def seeds(self) -> set[int]:
        """Those with a finite value everywhere."""
        return set(self.test.dropna().index) & set(self.validation.dropna().index)


def scores_of(facts: pd.DataFrame, tasks: Sequence[Task]) -> Scores:
    """The scores among some facts, of the epoch that was kept."""
    metrics = {task.name: task.metric for task in tasks}
    main = facts[facts["main"]]
    main = main[main["metric"].astype(object) == main["task"].astype(object).map(metrics)]
    test = main[main["split"] == "test"]
    same = ["trial", "seed", "task", "step"]
    validation = main[main["split"] == "validation"].merge(test[same], on=same)
    return Scores(*(_wide(frame, list(metrics)) for frame in (test, validation)))


def _wide(facts: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    return facts.groupby(["seed", "task"])["value"].mean().unstack("task").reindex(columns=tasks)
