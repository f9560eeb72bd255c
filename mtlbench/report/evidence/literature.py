"""Published numbers of the suite's problems, and whether this run met them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ...core.literature import PublishedNumber
from ...core.power import FEWEST
from .frames import ReportData, Task, direction
from .pooled import pooled
from .shaped import stacked
from .statistics import Interval, mean_interval

Outcome = Literal["better", "met", "undecided", "not met", "not comparable", "not measured"]


@dataclass(frozen=True)
class Comparison:
    """A published number and the same metric here.

    ``mean`` over ``seeds``, with its 95 % interval (Student's t; None with too few seeds, or where all are equal).
    Without a unit and a direction where nothing was measured.
    """

    number: PublishedNumber
    unit: str
    higher: bool | None
    mean: float
    interval: Interval | None
    seeds: int
    outcome: Outcome


def comparisons(data: ReportData) -> tuple[Comparison, ...]:
    """One for each entry of the suite's ``literature`` whose problem was planned, in its order."""
    numbers = (PublishedNumber.from_plain(entry) for entry in data.suite.get("literature") or ())
    return tuple(_comparison(data, number) for number in numbers if number.problem in data.problems)


def _comparison(data: ReportData, number: PublishedNumber) -> Comparison:
    measured = _of_rows(data, number) if number.over == "rows" else _of_tasks(data, number)
    if measured is None:
        return Comparison(number, "", None, float("nan"), None, 0, "not measured")
    task, values = measured
    mean, interval = float(values.mean()), mean_interval(values.to_numpy())
    outcome = "not comparable" if not number.comparable else _outcome(number, task.higher, values)
    return Comparison(number, task.unit, task.higher, mean, interval, len(values), outcome)


def _outcome(number: PublishedNumber, higher: bool, values: pd.Series) -> Outcome:
    """How the interval of the mean lies to the number's range, value ± margin, when the better end is the upper one.

    Beyond the range: better; below it: not met; reaching it: met. But undecided where the mean is below the range and
    only an interval wider than the range reaches it, or where there are too few seeds for an interval.
    """
    if len(values) < FEWEST:
        return "undecided"
    sign = 1 if higher else -1
    mean = sign * float(values.mean())
    interval = mean_interval(sign * values.to_numpy()) or Interval(mean, mean)  # all seeds equal
    low, high = sign * number.value - number.margin, sign * number.value + number.margin
    if interval.high < low:
        return "not met"
    if interval.low > high:
        return "better"
    return "undecided" if mean < low and interval.half > number.margin else "met"


def _of_rows(data: ReportData, number: PublishedNumber) -> tuple[Task, pd.Series] | None:
    """A metric of the rows of all tasks together, by seed."""
    if number.method not in data.methods(number.problem):
        return None
    engine = data.engines_of(number.problem, number.method)[0]
    wanted = (number.method, engine, number.metric)
    found = (one for one in pooled(data, number.problem) if (one.method, one.engine, one.task.metric) == wanted)
    return next(((one.task, one.values) for one in found), None)


def _of_tasks(data: ReportData, number: PublishedNumber) -> tuple[Task, pd.Series] | None:
    """A test metric of one task, or its mean over all tasks of the seeds that have all of them."""
    standing = (*data.methods(number.problem), *data.references(number.problem))
    if number.method not in standing:
        return None
    tasks = (number.task,) if number.task is not None else data.planned_tasks(number.problem)
    wanted = {"problem": number.problem, "method": number.method, "metric": number.metric, "split": "test"}
    wanted["engine"] = data.engines_of(number.problem, number.method)[0]
    facts = stacked(
        [
            every[np.logical_and.reduce([every[key] == value for key, value in wanted.items()])]
            for every in (data.records, data.reference_records)
        ]
    )
    by_task = facts.groupby(["seed", "task"])["value"].mean().unstack("task").reindex(columns=list(tasks))
    values = by_task.dropna().mean(axis=1)
    if values.empty:
        return None
    first = facts.iloc[0]
    higher = direction(first["metric"], first["higher_is_better"])
    return (Task("", number.metric, first["unit"], higher), values) if higher is not None else None
