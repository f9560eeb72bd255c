"""What was tried for each method before it was compared: scores in order, what was chosen, and what all of it cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from typing import Any

import numpy as np
import pandas as pd

from ...core.score import Tried, candidate_scores
from ...core.statuses import ENDED_BADLY
from ...core.trial import CANDIDATE, FRONTIER
from ...core.wording import plural
from .frames import ReportData, groups, rows
from .shaped import FactsByTrial
from .statistics import Array

OUTER = 0.1  # of a range, at either end: a choice there says that the best may lie beyond
STILL = 0.01  # the relative gain from the last quarter of a budget that says that the budget is too small


@dataclass(frozen=True, eq=False)
class Tuning:
    """The tuning of one method, or of the scalarization frontier's points, on one problem with one engine.

    points   how many points of the frontier chose, each from all candidates; 0 for a method
    choices  the candidates, in the order in which a larger budget adds them
    scores   [choice made, candidate]: validation losses relative to those at the initial weights, lower being better,
             infinite where a candidate failed or is missing; one choice is made per seed, and per task of the baseline,
             or per point of the frontier
    failed   how many trials of each candidate failed
    chosen   what was chosen, as often as choices could be made so far
    seconds  of all candidates together, over seeds, tasks, folds and points
    search   {key: range} where points were spread over ranges; empty where values were listed
    """

    problem: str
    method: str
    engine: str
    choices: tuple[str, ...]
    scores: Array
    failed: tuple[int, ...]
    chosen: tuple[str, ...]
    seconds: float
    search: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    points: int = 0

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.method} ({plural(self.points, 'point')})" if self.points else self.method

    @property
    def budget(self) -> int:
        """How many candidates there are."""
        return len(self.choices)

    @cached_property
    def mean_scores(self) -> Array:
        """[candidate]: the mean over those choices where it has a score; NaN without any."""
        finite = np.isfinite(self.scores)
        mean: Array = np.full(self.budget, np.nan)
        sums = np.where(finite, self.scores, 0.0).sum(axis=0)
        np.divide(sums, finite.sum(axis=0), out=mean, where=finite.any(axis=0))
        return mean

    @cached_property
    def _best(self) -> Array:
        """[choice made, k]: the best score among the first k + 1 candidates, of the choices that have one at all."""
        best: Array = np.minimum.accumulate(self.scores, axis=1)
        return best[np.isfinite(best[:, -1]) & (best[:, -1] > 0)]

    @cached_property
    def curve(self) -> Array:
        """[k]: the best score among the first k + 1 candidates over that of the first one that has a score, as a mean
        over choices; 1 where none has one yet. Empty without any score.
        """
        if not len(self._best):
            return np.empty(0)
        first = np.where(np.isfinite(self._best), self._best, -np.inf).max(axis=1, keepdims=True)
        curve: Array = np.minimum(self._best / first, 1.0).mean(axis=0)
        return curve

    @property
    def late_gain(self) -> float:
        """Mean over choices of 1 - best of all / best of the first three quarters; NaN without a score there."""
        before = self.budget - max(1, self.budget // 4)
        if before < 1 or not len(self._best):
            return float("nan")
        return float((1 - self._best[:, -1] / self._best[:, before - 1]).mean())

    @property
    def falling(self) -> bool:
        """Whether the last quarter of the candidates still gained more than ``STILL``."""
        return self.late_gain > STILL

    def ends(self) -> Iterator[tuple[str, str]]:
        """(key, "lower" or "upper") of every range in whose outer ``OUTER`` more than half of the choices lie."""
        for key, given in self.search.items():
            places = [place for choice in self.chosen if (place := _place(key, given, choice)) is not None]
            for end, count in (
                ("lower", sum(place <= OUTER for place in places)),
                ("upper", sum(place >= 1 - OUTER for place in places)),
            ):
                if 2 * count > len(self.chosen):
                    yield key, end


def _place(key: str, given: Mapping[str, Any], choice: str) -> float | None:
    """Where a choice lies in a range, from 0 to 1; None where its key has no ends, or no number."""
    kind, ends = next(iter(given.items()))
    found = re.search(rf"(?:^|, ){re.escape(key)}=([^,]+)", choice)
    if kind == "values" or found is None:
        return None
    low, high = ends
    value = float(found[1])
    return log(value / low) / log(high / low) if kind == "log" else (value - low) / (high - low)


def tunings(data: ReportData) -> tuple[Tuning, ...]:
    """Of every problem, method and engine that has candidates."""
    tried = data.tried[data.tried["role"] == CANDIDATE]
    facts = FactsByTrial(_of_scores(data.tried_records))
    found = []
    for (problem, method, engine), group in groups(tried, ["problem", "method", "engine"]):
        points = sorted(set(group["point"]) - {""})
        finals = data.tried[data.tried["role"] == FRONTIER] if points else data.trials
        same = finals[["problem", "method", "engine"]].eq([problem, method, engine]).all(axis=1)
        chosen = finals.loc[same & (finals["choice"] != ""), "choice"]
        choices = tuple(group["choice"].unique())
        scores = [
            candidate_scores(Tried(row.choice, row.part, facts.of(row.trial)) for row in rows(slot))
            for _, slot in groups(group, ["tasks", "seed", "point"])
        ]
        found.append(
            Tuning(
                problem,
                method,
                engine,
                choices,
                np.array([[of_slot.get(choice, np.inf) for choice in choices] for of_slot in scores]),
                tuple(int(group["status"][group["choice"] == choice].isin(ENDED_BADLY).sum()) for choice in choices),
                tuple(chosen),
                float(group["seconds"].sum()),
                _search_of(data.suite, method, bool(points)),
                len(points),
            )
        )
    return tuple(found)


def _of_scores(facts: pd.DataFrame) -> pd.DataFrame:
    """What scores of candidates are made of, and something of every trial that finished."""
    losses = (facts["split"] == "validation") & (facts["metric"] == "loss")
    return facts[losses | facts["split"].isin(["test", ""])]


def _search_of(suite: Mapping[str, Any], method: str, of_points: bool) -> dict[str, Mapping[str, Any]]:
    """The ranges that a suite, as it is resolved, gives a method or the points of the frontier."""
    methods, frontier = suite.get("methods", {}), suite.get("frontier", {})
    own = methods[method] if method in methods else suite.get("single_task", {})
    if of_points:
        own = {**methods.get(frontier.get("method"), {}), **frontier}
    search = (own if "tune" in own else suite).get("tune", {}).get("search", {})
    return {key: given for key, given in search.items() if given is not None}
