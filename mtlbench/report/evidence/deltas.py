"""Delta m of every method: what joint training gains over single-task training, and how certain that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from ...core.power import can_be_significant
from ...core.wording import listing, plural
from .doubts import LARGEST_SHARE, why_no_pair, why_no_percentage
from .frames import ReportData, Task
from .measures import companions
from .overlap import UNKNOWN, overlap
from .ranks import ranks_of
from .statistics import LEVEL, Gain, Interval, holm, mean_interval, p_of, relative
from .unlike import unlike_baseline

Outcome = Literal["better", "worse", "equal", "undecided", "held", "few", "none"]


@dataclass(frozen=True)
class Delta:
    """Delta m of one method on one problem with one engine, and what its verdict rests on.

    relative    Delta m; None where it cannot be formed, for which ``reason`` says why
    companions  gains by other measures, in the order of ``measures.MEASURES``; the first stands in for Delta m
    interval    the 95 % interval of the gain that is ``judged``; ``wide``, ``p`` and ``p_holm`` are of the same gain,
                and corrected for all ``comparisons`` (Bonferroni, Holm)
    smallest    the smallest effect of interest, in percent
    overlap     what corrects intervals for the overlap of training sets (``mean_interval``); 0 if not asked for
    flags       what to doubt about it
    held        what else may explain its outcome, so that none is claimed
    unlike      what differs from the baseline apart from joint training: optimizer, schedule …
    """

    problem: str
    method: str
    engine: str
    baseline: bool
    seeds: tuple[int, ...] = ()
    left_out: int = 0
    relative: Gain | None = None
    companions: Mapping[str, Gain] = field(default_factory=dict)
    interval: Interval | None = None
    wide: Interval | None = None
    p: float = math.nan
    p_holm: float = math.nan
    comparisons: int = 0
    rank: float = math.nan
    rank_interval: Interval | None = None
    reason: str = ""
    flags: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    smallest: float = 0.0
    overlap: float = 0.0
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
    def measure(self) -> str:
        """What the verdict rests on where Delta m cannot be formed: a row of ``measures.MEASURES``; otherwise empty."""
        return "" if self.relative else next(iter(self.companions), "")

    @property
    def judged(self) -> Gain | None:
        """The gain that the verdict rests on: Delta m, or else the first of its companions."""
        return self.relative or self.companions.get(self.measure)

    @property
    def testable(self) -> bool:
        """Whether there are enough seeds for the test to reach significance."""
        return can_be_significant(len(self.seeds), self.comparisons, corrected=self.overlap > 0)

    @property
    def significant(self) -> bool:
        """Whether the test says so, after Holm's correction."""
        return self.testable and self.p_holm <= 1 - LEVEL

    @property
    def outcome(self) -> Outcome:
        """What the wide interval W says, with s the smallest effect of interest:

            equal      W lies within (-s, s): practically equal, whether or not it contains zero
            better     W lies above zero, and the exact test, if it can, agrees; worse: W lies below zero
            held       one of these, but for what else may explain it
            undecided  otherwise

        All statements about one problem rest on one set of simultaneous 95 % intervals, so that any of them is false in
        at most 5 % of runs. W within (-s, s) amounts to two one-sided tests at 2.5 % over the number of comparisons,
        half the usual level, so that better, worse and equal share one interval. Sources: Schuirmann 1987; Lakens 2017.
        For the net share of tasks won s is 0, and where it is the same for every seed the test alone decides.
        ``few`` is without an interval, ``none`` without any gain.
        """
        if self.judged is None:
            return "none"
        wide = self.wide
        if wide is None and self.measure == "wins" and self.significant:
            wide = Interval(self.judged.mean, self.judged.mean)
        if wide is None:
            return "few"
        return self._decided(wide)

    def _decided(self, wide: Interval) -> Outcome:
        if wide.within(self._smallest):
            return "held" if self.held else "equal"
        if wide.contains(0) or (self.testable and not self.significant):
            return "undecided"
        return "held" if self.held else "better" if wide.low > 0 else "worse"

    @property
    def matters(self) -> bool:
        """Whether a clear difference is clearly larger than the smallest effect of interest."""
        return self.wide is not None and (self.wide.low >= self._smallest or self.wide.high <= -self._smallest)

    @property
    def _smallest(self) -> float:
        return 0.0 if self.measure == "wins" else self.smallest


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
        for engine in data.engines:
            methods = [method for method in data.methods(problem) if engine in data.engines_of(problem, method)]
            of_engine = [_ranked(data, delta_of(data, problem, method, engine)) for method in methods]
            every += compared(of_engine)
    return tuple(_flagged(delta, [task.name for task in data.targets(delta.problem, delta.method)]) for delta in every)


def _ranked(data: ReportData, delta: Delta) -> Delta:
    ranks = ranks_of(data, delta.problem, delta.method, delta.engine)
    if not len(ranks):
        return delta
    interval = mean_interval(ranks, overlap=delta.overlap)
    possible = interval and interval.clipped(1, len(data.methods(delta.problem)))
    return replace(delta, rank=float(ranks.mean()), rank_interval=possible)


def delta_of(data: ReportData, problem: str, method: str, engine: str) -> Delta:
    """Delta m of one method, or of a reference, as yet without a rank and with nothing to be corrected for."""
    tasks = data.targets(problem, method)
    names = [task.name for task in tasks]
    baseline = method == data.baseline(problem)
    scores, single = data.scores(problem, method, engine)[names], data.baseline_scores(problem, engine)[names]
    planned = data.planned_seeds(problem, method, engine)
    corrected = overlap(data, problem)
    unknown = math.isnan(corrected)
    corrected = 0.0 if unknown else corrected
    bare = Delta(
        problem,
        method,
        engine,
        baseline,
        smallest=data.judgement.smallest_effect,
        overlap=corrected,
        flags=(UNKNOWN,) if unknown and not baseline else (),
        tasks=() if len(tasks) == len(data.tasks(problem)) else tuple(names),
        unlike=() if baseline else unlike_baseline(data.suite, method),
    )
    if baseline:
        complete = scores.dropna() if len(tasks) else scores.iloc[:0]
        return replace(bare, seeds=tuple(complete.index), left_out=planned - len(complete))
    ours, single = paired(scores, single)
    if not len(ours) or not tasks:
        return replace(bare, left_out=planned, reason=why_no_pair(data, problem, scores, engine))
    bare = replace(bare, seeds=tuple(ours.index), left_out=planned - len(ours))
    if bare.left_out:
        flag = f"{bare.left_out} of {plural(planned, 'seed')} left out: failed, not run, or not a finite score"
        bare = replace(bare, flags=(*bare.flags, flag))
    return _gained(bare, data, tasks, ours, single)


def _gained(bare: Delta, data: ReportData, tasks: tuple[Task, ...], ours: pd.DataFrame, single: pd.DataFrame) -> Delta:
    """With Delta m, or why there is none, and the gains by other measures."""
    why = why_no_percentage(data, bare.problem, tasks, single)
    values = ours.to_numpy(), single.to_numpy()
    gain = None if why else relative(*values, np.array([task.higher for task in tasks]))
    others = companions(*values, tasks, data.reference_means("constant", bare.problem, tasks))
    delta = replace(bare, relative=gain, companions=others, reason=why)
    if delta.judged is None:
        return delta
    p = p_of(delta.judged.influence, delta.judged.differences, delta.overlap)
    return replace(delta, interval=mean_interval(delta.judged.influence, overlap=delta.overlap), p=p)


def compared(of_engine: list[Delta]) -> list[Delta]:
    """With p-values and intervals corrected for all methods that are compared with the same baseline."""
    comparisons = sum(delta.judged is not None for delta in of_engine)
    adjusted = holm([delta.p for delta in of_engine])
    return [
        replace(delta, comparisons=comparisons, p_holm=p, wide=_wide(delta, comparisons))
        for delta, p in zip(of_engine, adjusted, strict=True)
    ]


def _wide(delta: Delta, comparisons: int) -> Interval | None:
    level = 1 - (1 - LEVEL) / max(comparisons, 1)
    return mean_interval(delta.judged.influence, level, delta.overlap) if delta.judged else None


def _flagged(delta: Delta, names: Sequence[str]) -> Delta:
    """With a flag where a verdict rests on one task; where nothing is decided, shares are those of noise."""
    if delta.judged is None or delta.outcome in ("equal", "undecided") or len(names) < 2:
        return delta
    shares = dict(zip(names, delta.judged.shares.tolist(), strict=True))
    largest = max(names, key=shares.__getitem__)
    if not shares[largest] > LARGEST_SHARE:
        return delta
    return replace(
        delta,
        flags=(*delta.flags, f"{largest} alone makes up more than {100 * LARGEST_SHARE:.0f} % of the gain or loss"),
    )
