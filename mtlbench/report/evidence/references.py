"""Floors and strong baselines beside the methods: what they gain, and on which tasks no method is better."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from ...core.power import FEWEST
from .convergence import Convergence, why_held
from .deltas import Delta, delta_of
from .frames import ReportData, Task
from .statistics import Interval, mean_interval

_FLOOR = "constant"  # the learner that predicts one thing for all rows
Kind = Literal["floor", "strong baseline", "equal size"]


@dataclass(frozen=True)
class Contest:
    """A reference against the best method, single-task training included, on the main test metric of one task.

    ``gap`` is how much better the method is, in the metric's unit, as a mean over ``seeds`` paired seeds with its 95 %
    interval; the best method is that of the largest gap. ``unbeaten``: no method is better by an interval above zero.
    ``ahead``: the reference is better than every method by an interval above zero. Neither is said where a method has
    too few seeds for an interval. ``held``: why neither is to be claimed, since methods were undertrained.
    """

    task: Task
    value: float
    method: str
    gap: float
    interval: Interval | None
    seeds: int
    unbeaten: bool
    ahead: bool
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """What stands beside the methods of one problem: no comparison of theirs counts it.

    kind  "floor" predicts one thing for all rows; "equal size" is the baseline with as many parameters as the joint
          network; any other learner is a "strong baseline"
    """

    problem: str
    name: str
    kind: Kind
    delta: Delta
    contests: tuple[Contest, ...]

    @property
    def title(self) -> str:
        """``constant (floor)``."""
        return self.name if self.kind == "equal size" else f"{self.name} ({self.kind})"

    @property
    def floor(self) -> bool:
        """Whether it is the floor."""
        return self.kind == "floor"


def references(data: ReportData, trained: Collection[Convergence]) -> tuple[Reference, ...]:
    """The references of every problem, in the order of the plan."""
    return tuple(
        _reference(data, problem, name, trained) for problem in data.problems for name in data.references(problem)
    )


def _reference(data: ReportData, problem: str, name: str, trained: Collection[Convergence]) -> Reference:
    engine = data.engines_of(problem, name)[0]
    delta = replace(delta_of(data, problem, name, engine), unlike=())
    contests = tuple(
        replace(contest, held=_held(data, problem, contest.task, trained))
        for contest in _contests(data, problem, data.scores(problem, name, engine))
    )
    return Reference(problem, name, _kind(data, problem, name), delta, contests)


def _kind(data: ReportData, problem: str, name: str) -> Kind:
    trials = data.reference_trials
    if name == data.matched(problem):
        return "equal size"
    settings = trials.loc[(trials["problem"] == problem) & (trials["method"] == name), "settings"].iloc[0]
    learner = json.loads(settings or "{}").get("learner", {}).get("name", name)
    return "floor" if learner == _FLOOR else "strong baseline"


def _contests(data: ReportData, problem: str, scores: pd.DataFrame) -> Iterator[Contest]:
    """One for each task that the reference and a method have seeds of in common."""
    for task in data.tasks(problem):
        own = scores[task.name].dropna()
        gaps = {method: _gaps(data, problem, method, task, own) for method in data.methods(problem)}
        gaps = {method: gap for method, gap in gaps.items() if len(gap)}
        if gaps:
            best = max(gaps, key=lambda method: float(gaps[method].mean()))
            enough = all(len(gap) >= FEWEST for gap in gaps.values())
            yield Contest(
                task,
                float(own.mean()),
                best,
                float(gaps[best].mean()),
                mean_interval(gaps[best].to_numpy()),
                len(gaps[best]),
                unbeaten=enough and not any(_above(gap) for gap in gaps.values()),
                ahead=enough and all(_above(-gap) for gap in gaps.values()),
            )


def _held(data: ReportData, problem: str, task: Task, trained: Collection[Convergence]) -> tuple[str, ...]:
    """What alone may be why no method is better on a task: for each method that may owe it to undertrained trials."""
    first = {method: data.engines_of(problem, method)[0] for method in data.methods(problem)}
    of_methods = [each for each in trained if each.problem == problem and first.get(each.method) == each.engine]
    return tuple(
        f"{each.method}: {why}" for each in of_methods for why in why_held("worse", each, None, None, [task.name])
    )


def _gaps(data: ReportData, problem: str, method: str, task: Task, own: pd.Series) -> pd.Series:
    """How much better a method is than the reference, by seed, with its first engine."""
    scores = data.scores(problem, method, data.engines_of(problem, method)[0])[task.name]
    return ((scores - own) * (1 if task.higher else -1)).dropna()


def _above(gap: pd.Series) -> bool:
    """Whether the mean's interval lies above zero; of equal values, whether they do."""
    interval = mean_interval(gap.to_numpy())
    return interval.low > 0 if interval else bool((gap > 0).all())
