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
from .convergence import NO_TRIALS, Undertrained
from .dominance import Bounds, bounds, distance, non_dominated
from .frames import ReportData, Task
from .frontier_scores import Scores, scores_of
from .hypervolume import UNKNOWN, Estimate, enlargement, filled, reference_of
from .overlap import overlap
from .statistics import LEVEL, Array, Interval, holm, mean_interval, relative, shaky

Standing = Literal["beyond", "on", "behind", "held", "undecided", "few", "none"]


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
    """A method against the frontier. ``reason`` says why there is no position, ``held`` why none is claimed.

    distance  in percent of the single-task values, of the test means from the mixtures of non-dominated points:
              positive beyond them (``dominance.distance``)
    interval  of 95 %; ``wide`` is corrected for all ``comparisons`` (Bonferroni)
    volume    by how many percent the method enlarges the hypervolume of the non-dominated points (``hypervolume``)
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
    volume: Estimate = UNKNOWN
    smallest: float = 0.0
    member: bool = False
    reason: str = ""
    held: tuple[str, ...] = ()
    bounds: Bounds | None = field(default=None, compare=False)

    @property
    def testable(self) -> bool:
        """Whether there are enough seeds for the sign-flip test to reach significance."""
        corrected = self.bounds is not None and self.bounds.overlap > 0
        return can_be_significant(self.seeds, self.comparisons, corrected=corrected)

    @property
    def standing(self) -> Standing:
        """Beyond or behind when the wide interval leaves out zero, the exact test, if it can, agrees, and nothing but
        the method may explain it; on the frontier as one of its points, or when the wide interval lies within the
        smallest effect of interest.
        """
        claimed = self.claimed
        return "held" if self.held and claimed in ("beyond", "behind") else claimed

    @property
    def claimed(self) -> Standing:
        """The standing, whatever holds it back."""
        if self.reason:
            return "none"
        if self.interval is None or self.wide is None:
            return "few"
        agreed = not self.testable or self.p_holm <= 1 - LEVEL
        if self.wide.low > 0 and agreed:
            return "beyond"
        if self.wide.high < 0 and agreed:
            return "behind"
        return "on" if self.member or self.wide.within(self.smallest) else "undecided"


@dataclass(frozen=True)
class Frontier:
    """The frontier of one problem. ``reason`` says why nothing can be judged, ``left_out`` which points lack a seed.

    reference     [task] the reference point of all its hypervolumes, as gains in percent
    filled        how much its non-dominated points fill of the box from there to their best values (``hypervolume``)
    overlap       what corrects its intervals for the overlap of training sets; NaN where that is not known
    undertrained  how many of its points' trials were
    """

    problem: str
    engine: str
    tasks: tuple[Task, ...]
    seeds: tuple[int, ...] = ()
    points: tuple[Place, ...] = ()
    positions: tuple[Position, ...] = ()
    left_out: tuple[str, ...] = ()
    reason: str = ""
    reference: tuple[float, ...] = ()
    filled: Estimate = UNKNOWN
    overlap: float = 0.0
    undertrained: Undertrained = NO_TRIALS

    @property
    def correction(self) -> float:
        """The overlap, or none where it is not known."""
        return 0.0 if math.isnan(self.overlap) else self.overlap

    @property
    def best(self) -> tuple[Place, ...]:
        """The points that no other dominates on the validation split."""
        return tuple(point for point in self.points if point.non_dominated)


def frontiers(data: ReportData) -> tuple[Frontier, ...]:
    """Of every problem whose suite asks for one."""
    asked = data.tried[data.tried["role"] == FRONTIER]
    problems = [problem for problem in data.problems if (asked["problem"] == problem).any()]
    return tuple(_frontier(data, problem, asked[asked["problem"] == problem]) for problem in problems)


def _frontier(data: ReportData, problem: str, asked: pd.DataFrame) -> Frontier:
    tasks, engine = data.tasks(problem), str(asked["engine"].iloc[0])
    bare = Frontier(problem, engine, tasks)
    facts = data.tried_records[(data.tried_records["role"] == FRONTIER) & (data.tried_records["problem"] == problem)]
    points = {name: scores_of(facts[facts["point"] == name], tasks) for name in asked["point"].unique()}
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
    frontier = _measured(replace(bare, overlap=overlap(data, problem)), kept, alone)
    methods = [method for method in data.methods(problem) if method != data.baseline(problem)]
    judged = [_position(data, frontier, method, kept, alone) for method in methods]
    return replace(frontier, positions=tuple(_tested(judged)))


def _measured(bare: Frontier, points: Mapping[str, Scores], alone_ST: Array) -> Frontier:
    """The frontier with its points, and what they fill."""
    unit_T = _unit(alone_ST, bare.tasks)
    test_SKT, validation_SKT = _stacked(points, bare.seeds, unit_T)
    best = non_dominated(validation_SKT.mean(0))
    places = tuple(
        replace(
            _place(name, scores.test.loc[list(bare.seeds)].to_numpy(), alone_ST, bare.tasks), non_dominated=bool(on)
        )
        for (name, scores), on in zip(points.items(), best, strict=True)
    )
    reference_T = reference_of(test_SKT.mean(0))
    from_single_T = reference_T - unit_T * alone_ST.mean(0)
    share = filled(test_SKT[:, best], reference_T, bare.correction)
    return replace(bare, points=places, reference=tuple(from_single_T.tolist()), filled=share)


def _common(seeds_of_points: Sequence[set[int]]) -> set[int]:
    """The seeds that at least half of the points have; a point that lacks one of them is left out."""
    every = set[int]().union(*seeds_of_points)
    return {seed for seed in every if 2 * sum(seed in seeds for seeds in seeds_of_points) >= len(seeds_of_points)}


def _why_none(points: Mapping[str, Scores], single: pd.DataFrame) -> str:
    if single.empty:
        return "no single-task baseline with a finite score on every task"
    if all(scores.test.dropna().empty for scores in points.values()):
        return "no finished point with a finite score on every task"
    if all(scores.validation.dropna().empty for scores in points.values()):
        return "no main metric on a validation split, by which points are chosen"
    return "fewer than two points with the same seeds"


def _unit(alone_ST: Array, tasks: Sequence[Task]) -> Array:
    """[T] what turns a metric into percent of its mean single-task value, larger being better."""
    sign_T = np.array([1.0 if task.higher else -1.0 for task in tasks])
    unit: Array = 100 * sign_T / np.abs(alone_ST.mean(0))
    return unit


def _stacked(points: Mapping[str, Scores], seeds: Sequence[int], unit_T: Array) -> tuple[Array, Array]:
    """[S, K, T] of the test and of the validation split."""
    both = [scores.at(seeds, unit_T) for scores in points.values()]
    return np.stack([test for test, _ in both], 1), np.stack([validation for _, validation in both], 1)


def _doubted(alone_ST: Array, tasks: Sequence[Task]) -> list[str]:
    """The tasks whose single-task value is zero, or too uncertain to take percentages of."""
    columns = zip(tasks, alone_ST.T, strict=True)
    return [task.name for task, column in columns if not column.mean() or shaky(column)]


def _place(name: str, test_ST: Array, single_ST: Array, tasks: Sequence[Task]) -> Place:
    found = [relative(test_ST[:, [t]], single_ST[:, [t]], np.array([task.higher])) for t, task in enumerate(tasks)]
    gains = [gain for gain in found if gain is not None]
    return Place(name, tuple(gain.mean for gain in gains), tuple(mean_interval(gain.influence) for gain in gains))


def _position(
    data: ReportData, frontier: Frontier, method: str, points: Mapping[str, Scores], alone_ST: Array
) -> Position:
    """A method against the points, on the seeds that all of them have; values are in percent of the single-task means,
    so that differences between a method and a point are paired by seed.
    """
    tasks, engine = frontier.tasks, data.engines_of(frontier.problem, method)[0]
    facts = data.records[(data.records["problem"] == frontier.problem) & (data.records["method"] == method)]
    scores = scores_of(facts[facts["engine"] == engine], tasks)
    seeds = sorted(scores.seeds & set(frontier.seeds))
    if len(data.targets(frontier.problem, method)) < len(tasks):
        return Position(Place(method), engine, reason="it trains some of the tasks alone")
    if not seeds:
        return Position(Place(method), engine, reason="no seed with a finite score on test and validation split")
    unit_T = _unit(alone_ST, tasks)
    test, validation = scores.at(seeds, unit_T)
    on_test, on_validation = _stacked(points, seeds, unit_T)
    best = [point.non_dominated for point in frontier.points]
    front = on_test[:, best]
    reference_T = np.array(frontier.reference) + unit_T * alone_ST.mean(0)
    found = bounds(test, on_test, validation, on_validation, frontier.correction)
    alone = alone_ST[[frontier.seeds.index(seed) for seed in seeds]]
    return Position(
        _place(method, scores.test.loc[seeds].to_numpy(), alone, tasks),
        engine,
        len(seeds),
        distance=distance(test.mean(0), front.mean(0)).value,
        interval=found.interval(),
        p=found.p,
        volume=enlargement(test, front, reference_T, frontier.correction),
        smallest=data.judgement.smallest_effect,
        member=bool((test[:, None] == front).all((0, 2)).any()),
        bounds=found,
    )


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
