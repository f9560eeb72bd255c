"""The scalarization frontier of a problem: what fixed weights of the tasks reach, and how every method stands to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from ...core.power import can_be_significant
from ...core.trial import FRONTIER
from ...core.wording import listing
from .dominance import Bounds, bounds, distance, hypervolume, non_dominated
from .frames import ReportData, Task
from .statistics import LEVEL, Array, Interval, holm, mean_interval, relative, shaky

Standing = Literal["beyond", "on", "behind", "undecided", "few", "none"]


@dataclass(frozen=True)
class Place:
    """What a point of the frontier or a method reaches on the test split.

    gains      of each task over single-task training, in percent
    intervals  their 95 % intervals
    """

    name: str
    gains: tuple[float, ...] = ()
    intervals: tuple[Interval | None, ...] = ()
    non_dominated: bool = False  # on the validation split, among the points


@dataclass(frozen=True)
class Position:
    """A method against the frontier. ``reason`` says why there is no position.

    distance  in percent of the single-task values, of the test means from the mixtures of non-dominated points:
              positive beyond them (``dominance.distance``)
    interval  of 95 %; ``wide`` is corrected for all ``comparisons`` (Bonferroni)
    volume    by how many percent the method enlarges the hypervolume of the non-dominated points
    smallest  the smallest effect of interest, in percent
    member    whether it is one of the non-dominated points itself, as equal weights may be
    """

    place: Place
    engine: str
    seeds: int = 0
    distance: float = math.nan
    interval: Interval | None = None
    wide: Interval | None = None
    p: float = math.nan
    p_holm: float = math.nan
    comparisons: int = 0
    volume: float = math.nan
    smallest: float = 0.0
    member: bool = False
    reason: str = ""
    bounds: Bounds | None = field(default=None, compare=False)

    @property
    def testable(self) -> bool:
        """Whether there are enough seeds for the sign-flip test to reach significance."""
        return can_be_significant(self.seeds, self.comparisons)

    @property
    def standing(self) -> Standing:
        """Beyond or behind when the wide interval leaves out zero and the exact test, if it can, agrees; on the
        frontier as one of its points, or when the 95 % interval lies within the smallest effect of interest.
        """
        if self.reason:
            return "none"
        if self.interval is None or self.wide is None:
            return "few"
        agreed = not self.testable or self.p_holm <= 1 - LEVEL
        if self.wide.low > 0 and agreed:
            return "beyond"
        if self.wide.high < 0 and agreed:
            return "behind"
        near = max(abs(self.interval.low), abs(self.interval.high)) <= self.smallest
        return "on" if self.member or near else "undecided"


@dataclass(frozen=True)
class Frontier:
    """The frontier of one problem. ``reason`` says why nothing can be judged, ``left_out`` which points lack a seed."""

    problem: str
    engine: str
    tasks: tuple[Task, ...]
    seeds: tuple[int, ...] = ()
    points: tuple[Place, ...] = ()
    positions: tuple[Position, ...] = ()
    left_out: tuple[str, ...] = ()
    reason: str = ""

    @property
    def best(self) -> tuple[Place, ...]:
        """The points that no other dominates on the validation split."""
        return tuple(point for point in self.points if point.non_dominated)


@dataclass(frozen=True)
class _Scores:
    """Main metrics of one point or method: a row for each complete seed, a column for each task; of the test split,
    and of the validation split in the epoch that was kept.
    """

    test: pd.DataFrame
    validation: pd.DataFrame

    def at(self, seeds: Sequence[int]) -> tuple[Array, Array]:
        """Arrays [S, T] of both."""
        return self.test.loc[list(seeds)].to_numpy(), self.validation.loc[list(seeds)].to_numpy()

    @property
    def seeds(self) -> set[int]:
        """Those with a finite value everywhere."""
        return set(self.test.dropna().index) & set(self.validation.dropna().index)


def frontiers(data: ReportData) -> tuple[Frontier, ...]:
    """Of every problem whose suite asks for one."""
    asked = data.tried[data.tried["role"] == FRONTIER]
    problems = [problem for problem in data.problems if (asked["problem"] == problem).any()]
    return tuple(_frontier(data, problem, asked[asked["problem"] == problem]) for problem in problems)


def _frontier(data: ReportData, problem: str, asked: pd.DataFrame) -> Frontier:
    tasks, engine = data.tasks(problem), str(asked["engine"].iloc[0])
    bare = Frontier(problem, engine, tasks)
    facts = data.tried_records[(data.tried_records["role"] == FRONTIER) & (data.tried_records["problem"] == problem)]
    points = {name: _scores(facts[facts["point"] == name], tasks) for name in asked["point"].unique()}
    single = data.baseline_scores(problem, engine).dropna() if len(tasks) else pd.DataFrame()
    seeds = sorted(_common([scores.seeds for scores in points.values()]) & set(single.index))
    kept = {name: scores for name, scores in points.items() if seeds and scores.seeds >= set(seeds)}
    bare = replace(bare, seeds=tuple(seeds), left_out=tuple(name for name in points if name not in kept))
    if len(kept) < 2:
        return replace(bare, reason=_why_none(points, single))
    alone = single.loc[seeds].to_numpy()
    if doubted := _doubted(alone, tasks):
        why = (
            f"the single-task value of {listing(doubted, 4)} is near zero or uncertain, so that percentages of it mean"
        )
        return replace(bare, reason=f"{why} nothing")
    on_validation = np.stack([_signed(scores.at(seeds)[1], tasks).mean(0) for scores in kept.values()])
    best = non_dominated(on_validation)
    places = tuple(
        replace(_place(name, scores.at(seeds)[0], alone, tasks), non_dominated=bool(on))
        for (name, scores), on in zip(kept.items(), best, strict=True)
    )
    frontier = replace(bare, points=places)
    methods = [method for method in data.methods(problem) if method != data.baseline(problem)]
    judged = [_position(data, frontier, method, kept, single) for method in methods]
    return replace(frontier, positions=tuple(_tested(judged)))


def _scores(facts: pd.DataFrame, tasks: Sequence[Task]) -> _Scores:
    metrics = {task.name: task.metric for task in tasks}
    main = facts[facts["main"] & (facts["metric"] == facts["task"].map(metrics))]
    test = main[main["split"] == "test"]
    same = ["trial", "seed", "task", "step"]
    validation = main[main["split"] == "validation"].merge(test[same], on=same)
    return _Scores(*(_wide(frame, list(metrics)) for frame in (test, validation)))


def _wide(facts: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    return facts.groupby(["seed", "task"])["value"].mean().unstack("task").reindex(columns=tasks)


def _common(seeds_of_points: Sequence[set[int]]) -> set[int]:
    """The seeds that at least half of the points have; a point that lacks one of them is left out."""
    every = set[int]().union(*seeds_of_points)
    return {seed for seed in every if 2 * sum(seed in seeds for seeds in seeds_of_points) >= len(seeds_of_points)}


def _why_none(points: dict[str, _Scores], single: pd.DataFrame) -> str:
    if single.empty:
        return "no single-task baseline with a finite score on every task"
    if all(scores.test.dropna().empty for scores in points.values()):
        return "no finished point with a finite score on every task"
    if all(scores.validation.dropna().empty for scores in points.values()):
        return "no main metric on a validation split, by which points are chosen"
    return "fewer than two points with the same seeds"


def _signed(values: Array, tasks: Sequence[Task]) -> Array:
    """Larger is better."""
    signed: Array = values * np.array([1.0 if task.higher else -1.0 for task in tasks])
    return signed


def _doubted(alone_ST: Array, tasks: Sequence[Task]) -> list[str]:
    """The tasks whose single-task value is zero, or too uncertain to take percentages of."""
    columns = zip(tasks, alone_ST.T, strict=True)
    return [task.name for task, column in columns if not column.mean() or shaky(column)]


def _place(name: str, test_ST: Array, single_ST: Array, tasks: Sequence[Task]) -> Place:
    found = [relative(test_ST[:, [t]], single_ST[:, [t]], np.array([task.higher])) for t, task in enumerate(tasks)]
    gains = [gain for gain in found if gain is not None]
    return Place(name, tuple(gain.mean for gain in gains), tuple(mean_interval(gain.influence) for gain in gains))


def _position(
    data: ReportData, frontier: Frontier, method: str, points: Mapping[str, _Scores], single: pd.DataFrame
) -> Position:
    """A method against the points, on the seeds that all of them have; values are gains in percent of the single-task
    means, so that differences between a method and a point are paired by seed.
    """
    tasks, engine = frontier.tasks, data.engines_of(frontier.problem, method)[0]
    facts = data.records[(data.records["problem"] == frontier.problem) & (data.records["method"] == method)]
    scores = _scores(facts[facts["engine"] == engine], tasks)
    seeds = sorted(scores.seeds & set(frontier.seeds))
    if len(data.targets(frontier.problem, method)) < len(tasks):
        return Position(Place(method), engine, reason="it trains some of the tasks alone")
    if not seeds:
        return Position(Place(method), engine, reason="no seed with a finite score on test and validation split")
    alone = single.loc[seeds].to_numpy()
    test, validation = ((_signed(each, tasks) * 100 / np.abs(alone.mean(0))) for each in scores.at(seeds))
    on_test, on_validation = (
        np.stack([_signed(scores.at(seeds)[i], tasks) * 100 / np.abs(alone.mean(0)) for scores in points.values()], 1)
        for i in range(2)
    )
    best = [point.non_dominated for point in frontier.points]
    front = on_test.mean(0)[best]
    found = bounds(test, on_test, validation, on_validation)
    return Position(
        _place(method, scores.at(seeds)[0], alone, tasks),
        engine,
        len(seeds),
        distance=distance(test.mean(0), front).value,
        interval=found.interval(),
        p=found.p,
        volume=_volume(test.mean(0), front, on_test.mean(0)),
        smallest=data.judgement.smallest_effect,
        member=bool((test[:, None] == on_test[:, best]).all((0, 2)).any()),
        bounds=found,
    )


def _volume(method_T: Array, front_KT: Array, points_KT: Array) -> float:
    """By how many percent a method enlarges the hypervolume of the front.

    The reference lies a tenth of the points' range below the worst of all points on each task, as Ishibuchi et al.
    2018 advise, so that the ends of the front count.
    """
    worst, range_T = points_KT.min(0), np.ptp(points_KT, axis=0)
    reference = worst - 0.1 * range_T
    before = hypervolume(front_KT, reference)
    return 100 * (hypervolume(np.vstack([front_KT, method_T]), reference) / before - 1) if before else math.nan


def _tested(judged: Sequence[Position]) -> list[Position]:
    """With p-values and intervals corrected for all methods that are compared with the same frontier."""
    comparisons = sum(not position.reason for position in judged)
    return [
        replace(
            position,
            comparisons=comparisons,
            p_holm=p,
            wide=position.bounds.interval(1 - (1 - LEVEL) / comparisons) if position.bounds else None,
        )
        for position, p in zip(judged, holm([position.p for position in judged]), strict=True)
    ]
