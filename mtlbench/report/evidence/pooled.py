"""The main metric over the rows of all tasks together, if they share one metric and one unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from ...core.literature import EXPLAINED
from ...core.metrics import TABLE, MetricError, metric
from .frames import ReportData, Task


@dataclass(frozen=True, eq=False)
class Pooled:
    """One metric of one method over the rows of all tasks together; ``values`` by seed, ``task`` is nameless.

    ``single`` are the values of single-task training, of the same engine or else of the first that has any.
    """

    task: Task
    method: str
    engine: str
    values: pd.Series
    single: pd.Series


def pooled(data: ReportData, problem: str) -> Iterator[Pooled]:
    """Every metric, method and engine of a problem; nothing where its tasks cannot be pooled."""
    tasks, counts = data.tasks(problem), _of_labels(data, problem, "test_rows")
    kinds = {(task.metric, task.unit) for task in tasks}
    power = _power(tasks[0].metric) if len(kinds) == 1 else 0
    if len(tasks) < 2 or not power or not tasks[0].unit:  # without a unit, values may be of different kinds
        return
    main = Task("", tasks[0].metric, tasks[0].unit, tasks[0].higher)
    yield from _of_methods(data, problem, main, lambda scores: _mean(scores, counts, power))
    if main.metric == "rmse" and len(variance := _variance(data, problem, counts)):
        explained = Task("", EXPLAINED, "%", True)
        yield from _of_methods(
            data, problem, explained, lambda scores: _explained(_mean(scores, counts, power), variance)
        )


def _of_methods(
    data: ReportData, problem: str, task: Task, pool: Callable[[pd.DataFrame], pd.Series]
) -> Iterator[Pooled]:
    """One pooled metric of every method and engine that has a value."""
    single = pool(data.baseline_scores(problem, data.engines[0]))
    for method in data.methods(problem):
        for engine in data.engines_of(problem, method):
            values = pool(data.scores(problem, method, engine))
            if len(values):
                yield Pooled(task, method, engine, values, single)


def _power(name: str) -> int:
    """How a metric's parts combine; 0 where the table here has it not, though the run had: reports need no code."""
    try:
        return metric(name).power if name in TABLE else 0
    except MetricError:
        return 0


def _of_labels(data: ReportData, problem: str, metric: str) -> pd.DataFrame:
    """What is known of the labels that each task is tested on: one row per seed, one column per task."""
    facts = data.records[(data.records["metric"] == metric) & (data.records["problem"] == problem)]
    return facts.groupby(["seed", "task"])["value"].max().unstack("task")


def _variance(data: ReportData, problem: str, counts: pd.DataFrame) -> pd.Series:
    """The variance of the test labels of all tasks about their common mean, by seed; runs of old did not record it."""
    tasks = [task.name for task in data.tasks(problem)]
    mean, within = (_of_labels(data, problem, name).reindex(columns=tasks) for name in ("test_mean", "test_variance"))
    rows_of = counts.reindex(index=mean.dropna().index, columns=tasks).dropna()
    mean, within, total = mean.loc[rows_of.index], within.loc[rows_of.index], rows_of.sum(axis=1)
    centre = (mean * rows_of).sum(axis=1) / total
    between = mean.sub(centre, axis=0) ** 2
    return ((within + between) * rows_of).sum(axis=1) / total


def _explained(rmse: pd.Series, variance: pd.Series) -> pd.Series:
    """100 (1 - MSE / variance) of the seeds whose labels vary."""
    return (100 * (1 - rmse**2 / variance[variance > 0])).dropna()


def _mean(scores: pd.DataFrame, counts: pd.DataFrame, power: int) -> pd.Series:
    """The power mean over tasks, weighted by rows, of every seed that has all of them."""
    weights = counts.reindex(index=scores.dropna().index, columns=scores.columns).dropna()
    powers = scores.loc[weights.index] ** power * weights
    return (powers.sum(axis=1) / weights.sum(axis=1)) ** (1 / power)
