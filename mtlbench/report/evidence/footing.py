"""Whether methods and their baseline stand on equal footing: as many parameters, one trunk, as many updates.

Training apart and together differ in more than in sharing; each difference that could explain a gain or a loss has a
number here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .convergence import Convergence, why_held
from .deltas import paired
from .frames import ReportData, groups, rows
from .statistics import Interval, mean_interval, relative, shaky
from .timings import Timing

ALIKE = 0.1  # numbers of parameters, or of updates, are alike if they differ by no more than this share


@dataclass(frozen=True)
class Footing:
    """How one method and the single-task baseline of a problem compare in what is not sharing.

    parameters  the method's over those of the baseline's networks together; NaN where they are not known
    trunk       the method's and the baseline's trunk, where these are of different kinds
    updates     {task: updates an epoch of the method / updates an epoch of that task's own network}
    matched     Δm in percent against the matched baseline (``capacity: matched``); NaN without one
    interval    its 95 % interval
    held        why nothing is claimed of it, since trials were undertrained
    """

    problem: str
    method: str
    parameters: float
    trunk: tuple[str, str] | None
    updates: Mapping[str, float]
    matched: float = math.nan
    interval: Interval | None = None
    held: tuple[str, ...] = ()

    @property
    def sign(self) -> str:
        """Whether it is better or worse than the matched baseline by that interval; "" where neither."""
        return "" if self.interval is None or self.interval.contains(0) else "better" if self.matched > 0 else "worse"

    @property
    def unlike_size(self) -> bool:
        """Whether it has another number of parameters."""
        return math.isfinite(self.parameters) and not _alike(self.parameters)

    @property
    def unlike_updates(self) -> dict[str, float]:
        """The tasks whose networks are updated more or less often than the method's."""
        return {task: ratio for task, ratio in self.updates.items() if not _alike(ratio)}


def footings(data: ReportData, timings: tuple[Timing, ...], trained: Collection[Convergence]) -> tuple[Footing, ...]:
    """Every method of a problem with a baseline, each on its first engine."""
    by_key = {(each.problem, each.method, each.engine): each for each in trained}

    def of(problem: str, method: str) -> Convergence | None:
        return by_key.get((problem, method, data.engines_of(problem, method)[0])) if method else None

    return tuple(
        replace(each, held=why_held(each.sign, of(each.problem, each.method), of(each.problem, matched)))
        for each in _footings(data, timings)
        for matched in [data.matched(each.problem)]
    )


def _footings(data: ReportData, timings: tuple[Timing, ...]) -> list[Footing]:
    sizes = {(t.problem, t.method, t.engine): t.parameters for t in timings}
    updates, trunks = _updates(data), _trunks(data)
    every = []
    for problem in data.problems:
        single = data.baseline(problem)
        matched = data.matched(problem)
        for method in data.methods(problem) if single else ():
            if method == single:
                continue
            engine = data.engines_of(problem, method)[0]
            ours, theirs = (sizes.get((problem, m, data.engines_of(problem, m)[0]), math.nan) for m in (method, single))
            gain, interval = _against(data, problem, method, matched, engine) if matched else (math.nan, None)
            pair = (trunks.get((problem, method), ""), trunks.get((problem, single), ""))
            joint = updates.get((problem, method), {}).get("", math.nan)
            alone = updates.get((problem, single), {})
            every.append(
                Footing(
                    problem,
                    method,
                    ours / theirs if theirs > 0 else math.nan,
                    pair if all(pair) and pair[0] != pair[1] else None,
                    {task: joint / own for task, own in alone.items() if math.isfinite(joint / own)},
                    gain,
                    interval,
                )
            )
    return every


def _alike(ratio: float) -> bool:
    return 1 / (1 + ALIKE) <= ratio <= 1 + ALIKE


def _against(data: ReportData, problem: str, method: str, other: str, engine: str) -> tuple[float, Interval | None]:
    """Δm of a method against another baseline, and its 95 % interval."""
    tasks = data.targets(problem, method)
    names = [task.name for task in tasks]
    theirs = data.scores(problem, other, data.engines_of(problem, other)[0])[names]
    ours, single = paired(data.scores(problem, method, engine)[names], theirs)
    if not len(ours) or not tasks:
        return math.nan, None
    gain = relative(ours.to_numpy(), single.to_numpy(), np.array([task.higher for task in tasks]))
    if gain is None or any(shaky(column) for column in single.to_numpy().T):
        return math.nan, None
    return gain.mean, mean_interval(gain.influence)


def _updates(data: ReportData) -> dict[tuple[str, str], dict[str, float]]:
    """Updates an epoch of every method, under the task that its trial is for; "" where it is for several."""
    facts = data.records[(data.records["task"] == "") & data.records["metric"].isin(["steps", "epochs"])]
    wide = facts.groupby(["problem", "method", "trial", "metric"])["value"].last().unstack("metric")
    if not {"steps", "epochs"} <= set(wide.columns):
        return {}
    tasks = data.trials.drop_duplicates("trial").set_index("trial")["tasks"]
    table: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows(wide[wide["epochs"] > 0].reset_index()):
        names = tasks[row.trial]
        task = names[0] if len(names) == 1 else ""
        table.setdefault((row.problem, row.method), {}).setdefault(task, []).append(row.steps / row.epochs)
    return {key: {task: float(np.mean(values)) for task, values in each.items()} for key, each in table.items()}


def _trunks(data: ReportData) -> dict[tuple[str, str], str]:
    """The kind of trunk of every method that has one."""
    kinds: dict[tuple[str, str], str] = {}
    for (problem, method), trials in groups(data.trials, ["problem", "method"]):
        architecture: dict[str, Any] = json.loads(trials["settings"].iloc[0] or "{}").get("architecture") or {}
        trunk = architecture.get("trunk", "")
        kinds[problem, method] = str(trunk.get("name", "") if isinstance(trunk, Mapping) else trunk)
    return kinds
