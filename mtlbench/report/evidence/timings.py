"""What training cost: throughput, time and memory of every method, and what an engine gains over eager."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from .frames import EAGER, KEYS, ReportData, groups
from .statistics import Array, Interval, ratio

_TIMES = ["samples_per_second", "step_seconds", "train_seconds"]
_SIZES = ["peak_memory", "parameters"]


def _rate_of_all(rates: pd.Series) -> float:
    """A row counts when every task has seen it: 1 / sum of 1 / rate."""
    return float(1 / (1 / rates).sum()) if (rates > 0).all() else math.nan


_SINGLE: dict[str, Any] = {  # how the baseline's separate trials, one per task, make up one method
    "samples_per_second": _rate_of_all,
    "step_seconds": "sum",
    "train_seconds": "sum",
    "peak_memory": "max",
    "parameters": "sum",
}


@dataclass(frozen=True, eq=False)
class Timing:
    """Cost of one method on one problem with one engine.

    ``times`` has one row per seed, from trials that ran alone if there are any; ``shared`` says that there were none.
    ``ratio`` is samples per second over eager's of the same method, paired by seed, as a geometric mean; ``mixed`` says
    that the pair ran in different environments.
    """

    problem: str
    method: str
    engine: str
    baseline: bool
    times: pd.DataFrame
    shared: bool
    peak_memory: float
    parameters: float
    environments: frozenset[str]
    ratio: float = math.nan
    ratio_interval: Interval | None = None
    ratio_shared: bool = False
    mixed: bool = False

    def mean(self, metric: str) -> float:
        """Mean over seeds; NaN where nothing was measured."""
        return float(self.times[metric].mean())

    def values(self, metric: str) -> Array:
        """One number per seed."""
        return self.times[metric].dropna().to_numpy(dtype=np.float64)


def timings(data: ReportData) -> tuple[Timing, ...]:
    """Every problem, method and engine that has a finished trial."""
    facts = data.records
    facts = facts[(facts["task"] == "") & facts["metric"].isin([*_TIMES, *_SIZES])]
    index = [*KEYS, "baseline", "trial", "environment"]
    wide = facts.groupby([*index, "metric"])["value"].last().unstack("metric").reindex(columns=[*_TIMES, *_SIZES])
    rows = wide.reset_index().merge(data.trials[["trial", "shared"]].drop_duplicates("trial"), on="trial")
    tasks = {problem: len(data.tasks(problem)) for problem in data.problems}
    by_key = {key: _timing(key, group, tasks[key[0]]) for key, group in groups(rows, KEYS[:3])}
    ordered = [
        by_key[key]
        for problem in data.problems
        for method in data.methods(problem)
        for engine in data.engines_of(problem, method)
        if (key := (problem, method, engine)) in by_key
    ]
    return tuple(_with_ratio(timing, by_key.get((timing.problem, timing.method, EAGER))) for timing in ordered)


def _timing(key: tuple[str, str, str], rows: pd.DataFrame, tasks: int) -> Timing:
    baseline = bool(rows["baseline"].iloc[0])
    alone = _per_seed(rows[~rows["shared"]], baseline, tasks)
    everything = _per_seed(rows, baseline, tasks)
    shared = bool(alone["train_seconds"].isna().all())  # what every learner measures
    return Timing(
        *key,
        baseline=baseline,
        times=everything if shared else alone,
        shared=shared,
        peak_memory=float(everything["peak_memory"].max()),
        parameters=float(everything["parameters"].max()),
        environments=frozenset(rows["environment"] if shared else rows.loc[~rows["shared"], "environment"]),
    )


def _per_seed(rows: pd.DataFrame, baseline: bool, tasks: int) -> pd.DataFrame:
    """One row per seed; a baseline's seed counts when all its tasks are there."""
    grouped = rows.groupby("seed")
    if not baseline:
        return grouped[[*_TIMES, *_SIZES]].mean()
    complete = rows[rows["seed"].isin([seed for seed, group in grouped if len(group) >= tasks])]
    return complete.groupby("seed").agg(_SINGLE)[[*_TIMES, *_SIZES]]


def _with_ratio(timing: Timing, eager: Timing | None) -> Timing:
    if eager is None or timing.engine == EAGER:
        return timing
    rates = [each.times["samples_per_second"] for each in (timing, eager)]
    pairs = pd.concat(rates, axis=1, join="inner").dropna().to_numpy(dtype=np.float64)
    mean, interval = ratio(pairs[:, 0], pairs[:, 1])
    return replace(
        timing,
        ratio=mean,
        ratio_interval=interval,
        ratio_shared=timing.shared or eager.shared,
        mixed=timing.environments != eager.environments,
    )
