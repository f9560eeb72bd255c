"""Delta m of every method: what joint training gains over single-task training, and how certain that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from ...core.power import can_be_significant
from ...core.wording import listing, plural
from .frames import ReportData
from .statistics import LEVEL, Interval, Relative, holm, mean_interval, mean_ranks, relative, sign_flip

Outcome = Literal["better", "worse", "leaning", "unclear", "few", "none"]


@dataclass(frozen=True)
class Delta:
    """Delta m of one method on one problem with one engine.

    ``interval`` is the 95 % interval; ``wide`` is corrected for all ``comparisons`` (Bonferroni). ``reason`` says why
    there is no Delta m, ``flags`` what to doubt about it, ``unlike`` what differs from the baseline apart from joint
    training: optimizer, schedule …
    """

    problem: str
    method: str
    engine: str
    baseline: bool
    seeds: tuple[int, ...] = ()
    left_out: int = 0
    relative: Relative | None = None
    interval: Interval | None = None
    wide: Interval | None = None
    p: float = math.nan
    p_holm: float = math.nan
    comparisons: int = 0
    rank: float = math.nan
    reason: str = ""
    flags: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()  # the tasks that it covers, if not every task of the problem
    unlike: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Delta m in percent: 0 for the baseline itself, NaN where there is none."""
        if self.baseline:
            return 0.0
        return self.relative.mean if self.relative else math.nan

    @property
    def title(self) -> str:
        """The method, followed by its tasks if it covers only some of them."""
        return f"{self.method} ({', '.join(self.tasks)})" if self.tasks else self.method

    @property
    def testable(self) -> bool:
        """Whether there are enough seeds for the sign-flip test to reach significance."""
        return can_be_significant(len(self.seeds), self.comparisons)

    @property
    def significant(self) -> bool:
        """Whether the exact test says so, after Holm's correction."""
        return self.testable and self.p_holm <= 1 - LEVEL

    @property
    def outcome(self) -> Outcome:
        """Clear (better, worse) when the wide interval excludes zero and the exact test, if it can, agrees."""
        if self.relative is None:
            return "none"
        if self.interval is None or self.wide is None:
            return "few"
        if not self.wide.contains(0) and (self.significant or not self.testable):
            return "better" if self.mean > 0 else "worse"
        return "unclear" if self.interval.contains(0) else "leaning"


def reasons(compared: Sequence[Delta], texts: Callable[[Delta], Iterable[str]]) -> list[str]:
    """``a, b and c: why`` for every reason that ``texts`` gives, stated once with all methods that it applies to."""
    methods: dict[str, list[str]] = {}
    for delta in compared:
        for text in texts(delta):
            methods.setdefault(text, []).append(delta.method)
    all_methods = [delta.method for delta in compared]
    return [
        f"{'every method' if len(all_methods) > 2 and names == all_methods else listing(names, len(names))}: {text}"
        for text, names in methods.items()
    ]


def paired(method: pd.DataFrame, single: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of seeds for which both have a finite score on every task."""
    seeds = method.dropna().index.intersection(single.dropna().index)
    return method.loc[seeds], single.loc[seeds]


def deltas(data: ReportData) -> tuple[Delta, ...]:
    """Every problem, engine and method, the baseline first."""
    every: list[Delta] = []
    for problem in data.problems:
        of_problem: list[Delta] = []
        for engine in data.engines:
            methods = [method for method in data.methods(problem) if engine in data.engines_of(problem, method)]
            of_problem += _tested([delta_of(data, problem, method, engine) for method in methods])
        every += _ranked(data, problem, of_problem)
    return tuple(every)


def delta_of(data: ReportData, problem: str, method: str, engine: str) -> Delta:
    """Delta m of one method, or of a reference, as yet without a rank and with nothing to be corrected for."""
    tasks = data.targets(problem, method)
    names = [task.name for task in tasks]
    baseline = method == data.baseline(problem)
    scores, single = data.scores(problem, method, engine)[names], data.baseline_scores(problem, engine)[names]
    planned = data.planned_seeds(problem, method, engine)
    some = () if len(tasks) == len(data.tasks(problem)) else tuple(names)
    unlike = () if baseline else data.unlike_baseline(method)
    bare = Delta(problem, method, engine, baseline, tasks=some, unlike=unlike)
    if baseline:
        complete = scores.dropna() if len(tasks) else scores.iloc[:0]
        return replace(bare, seeds=tuple(complete.index), left_out=planned - len(complete))
    ours, single = paired(scores, single)
    if not len(ours) or not tasks:
        return replace(bare, left_out=planned, reason=_why_none(data, problem, scores, engine))
    gain = relative(ours.to_numpy(), single.to_numpy(), np.array([task.higher for task in tasks]))
    bare = replace(bare, seeds=tuple(ours.index), left_out=planned - len(ours))
    if bare.left_out:
        flag = f"{bare.left_out} of {plural(planned, 'seed')} left out: failed, not run, or not a finite score"
        bare = replace(bare, flags=(flag,))
    if gain is None:
        zero = [task.name for task in tasks if single[task.name].mean() == 0]
        return replace(bare, reason=f"the single-task {zero[0]} is exactly zero, so that no percentage of it exists")
    doubted = _near_zero(data, problem) | {name for name, shaky in zip(names, gain.shaky, strict=True) if shaky}
    if doubted:
        which = listing((f"{task.name} ({task.metric})" for task in tasks if task.name in doubted), 4)
        why = f"the single-task value of {which} is near zero or uncertain, so that percentages of it mean nothing"
        return replace(bare, reason=why)
    return replace(bare, relative=gain, interval=mean_interval(gain.influence), p=sign_flip(gain.differences))


def _near_zero(data: ReportData, problem: str) -> set[str]:
    """Tasks whose single-task value is so small that the median method differs from it by more than ten times that
    value. (A single method that differs by so much has itself gone astray.)
    """
    methods = [method for method in data.methods(problem) if method != data.baseline(problem)]
    means = np.stack([_complete(data, problem, method).mean().to_numpy() for method in methods])
    single = _complete(data, problem, data.baseline(problem)).mean().to_numpy()
    off = np.abs(means[np.isfinite(means).all(1)] - single)
    if not len(off):
        return set()
    near = np.median(off, axis=0) > 10 * np.abs(single)
    return {task.name for task, zero in zip(data.tasks(problem), near, strict=True) if zero}


def _why_none(data: ReportData, problem: str, scores: pd.DataFrame, engine: str) -> str:
    if not len(scores):
        return "no finished trial"
    if scores.dropna().empty:
        return f"no finite score on {' or '.join(str(c) for c in scores.columns[scores.isna().any()])}"
    if not data.baseline(problem):
        return "no single-task baseline in the suite"
    if data.baseline_scores(problem, engine).dropna().empty:
        return "no single-task baseline with a finite score on every task"
    return "no seed in common with the single-task baseline"


def _ranked(data: ReportData, problem: str, of_problem: list[Delta]) -> list[Delta]:
    """With mean ranks, each among the same methods and over the seeds that all of them have; every other method enters
    once, with its first engine.
    """
    higher = np.array([task.higher for task in data.tasks(problem)], dtype=bool)
    if not of_problem or not len(higher):
        return of_problem
    first = {method: _complete(data, problem, method) for method in data.methods(problem)}

    def rank(delta: Delta) -> float:
        own = {delta.method: data.scores(problem, delta.method, delta.engine).dropna()}
        ranks = mean_ranks(_means_in_common([*{**first, **own}.values()]), higher)
        return float(ranks[list(first).index(delta.method)])

    return [replace(delta, rank=rank(delta)) for delta in of_problem]


def _complete(data: ReportData, problem: str, method: str) -> pd.DataFrame:
    """The seeds of a method with a finite score on every task, with the first engine on which it has any."""
    by_engine = [data.scores(problem, method, engine).dropna() for engine in data.engines_of(problem, method)]
    return next((scores for scores in by_engine if len(scores)), by_engine[0])


def _means_in_common(methods: Sequence[pd.DataFrame]) -> np.ndarray:
    """Means [methods, tasks] over the seeds that all methods have; NaN for a method without any seed."""
    seeds = [set(scores.index) for scores in methods if len(scores)]
    common = sorted(set.intersection(*seeds)) if seeds else []
    return np.stack([scores.reindex(common if len(scores) else []).mean().to_numpy() for scores in methods])


def _tested(of_engine: list[Delta]) -> list[Delta]:
    """With p-values and intervals corrected for all methods that are compared with the same baseline."""
    comparisons = sum(delta.relative is not None for delta in of_engine)
    adjusted = holm([delta.p for delta in of_engine])
    return [
        replace(
            delta,
            comparisons=comparisons,
            p_holm=p,
            wide=mean_interval(delta.relative.influence, 1 - (1 - LEVEL) / comparisons) if delta.relative else None,
        )
        for delta, p in zip(of_engine, adjusted, strict=True)
    ]
