"""Engines should differ only in speed: whether the accuracy of each agrees with eager's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from .frames import EAGER, ReportData
from .statistics import LEVEL, mean_interval

TOLERANCE = 0.01  # of eager's value


@dataclass(frozen=True)
class Agreement:
    """The main test metric of one engine against eager's, for the task on which they are furthest apart.

    ``relative`` is (engine - eager) / |eager|, NaN where the two have no seed in common. ``differs`` needs both a
    difference beyond ``TOLERANCE`` and an interval, corrected for all comparisons of the report, that excludes
    zero; without an interval the tolerance alone decides.
    """

    problem: str
    method: str
    engine: str
    task: str
    relative: float
    differs: bool


def agreements(data: ReportData) -> tuple[Agreement, ...]:
    """Every problem, method and engine other than eager, if eager ran too."""
    pairs = [
        (problem, method, engine)
        for problem in data.problems
        for method in data.methods(problem)
        if EAGER in data.engines_of(problem, method)
        for engine in data.engines_of(problem, method)
        if engine != EAGER
    ]
    comparisons = sum(len(data.tasks(problem)) for problem, _, _ in pairs)
    return tuple(_agreement(data, *pair, comparisons) for pair in pairs)


def _agreement(data: ReportData, problem: str, method: str, engine: str, comparisons: int) -> Agreement:
    ours, eager = (data.scores(problem, method, name) for name in (engine, EAGER))
    by_task = [
        Agreement(problem, method, engine, task.name, *_compare(ours[task.name], eager[task.name], comparisons))
        for task in data.tasks(problem)
    ]
    comparable = [agreement for agreement in by_task if math.isfinite(agreement.relative)]
    if not comparable:
        return Agreement(problem, method, engine, "", math.nan, False)
    return max(comparable, key=lambda agreement: (agreement.differs, abs(agreement.relative)))


def _compare(ours: pd.Series, eager: pd.Series, comparisons: int) -> tuple[float, bool]:
    difference = (ours - eager).dropna()  # paired by seed
    base = abs(float(eager[difference.index].mean())) if len(difference) else math.nan
    if not base > 0:
        return math.nan, False
    change = float(difference.mean()) / base
    interval = mean_interval(difference.to_numpy(), 1 - (1 - LEVEL) / comparisons)
    clear = interval is None or not interval.contains(0)
    return change, abs(change) > TOLERANCE and clear
