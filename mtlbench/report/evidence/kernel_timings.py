"""What kernels took: every case, device and state of the caches, with ours beside the best of the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from .frames import ReportData, groups
from .statistics import Array, Interval, median_ratio

COPY = "copy"
_KEYS = ["problem", "engine"]


@dataclass(frozen=True, eq=False)
class KernelTiming:
    """One case on one device with caches warm or cold.

    calls, kernels  seconds, one row per process and block, one column per contender (and COPY): of whole calls, and on
                    the device alone (no rows if that was not measured)
    ours            the contenders of mtlbench
    traffic         bytes that a call must move; 0 where memory does not bound it
    shared          other work ran on the machine in some process
    """

    case: str
    device: str
    cache: str
    calls: pd.DataFrame
    kernels: pd.DataFrame
    ours: tuple[str, ...]
    traffic: float
    shared: bool

    @cached_property
    def contenders(self) -> tuple[str, ...]:
        """Fastest first, by the median call."""
        medians = self.calls.drop(columns=COPY, errors="ignore").median().dropna().sort_values()
        return tuple(map(str, medians.index))

    @property
    def best(self) -> str:
        """The fastest of ours, "" where there is none."""
        return next((name for name in self.contenders if name in self.ours), "")

    @property
    def best_other(self) -> str:
        """The fastest of the others, "" where there is none."""
        return next((name for name in self.contenders if name not in self.ours), "")

    def microseconds(self, contender: str, quantile: float = 0.5) -> float:
        """A quantile over blocks of the time of one call."""
        return float(1e6 * self.calls[contender].quantile(quantile)) if contender in self.calls else math.nan

    def device_microseconds(self, contender: str) -> float:
        """Median microseconds on the device alone; NaN where that was not measured."""
        return float(1e6 * self.kernels[contender].median()) if contender in self.kernels else math.nan

    def rate(self, contender: str) -> float:
        """Bytes per second, from the formula's bytes: of the device alone where that was measured, else of calls."""
        micros = self.device_microseconds(contender)
        micros = micros if math.isfinite(micros) else self.microseconds(contender)
        return self.traffic / micros * 1e6 if self.traffic and micros > 0 else math.nan

    def ceiling(self, contender: str) -> float:
        """Its rate in percent of a copy's of as many bytes."""
        return 100 * self.rate(contender) / self.rate(COPY)

    @cached_property
    def speedup(self) -> tuple[float, Interval | None]:
        """How many times as fast as the best of the others the best of ours is, by whole calls."""
        return self._speedup(self.calls)

    @cached_property
    def device_speedup(self) -> tuple[float, Interval | None]:
        """The same on the device alone."""
        return self._speedup(self.kernels)

    def _speedup(self, frame: pd.DataFrame) -> tuple[float, Interval | None]:
        if not {self.best, self.best_other} <= set(frame.columns):
            return math.nan, None
        pairs = frame[[self.best_other, self.best]].dropna()
        pairs = pairs[(pairs > 0).all(axis=1)]
        logs: list[Array] = [
            np.log(group[self.best_other].to_numpy() / group[self.best].to_numpy())
            for _, group in pairs.groupby(level="seed")
        ]
        return median_ratio(logs)


def kernel_timings(data: ReportData) -> tuple[KernelTiming, ...]:
    """Every case, device and state of the caches that a finished kernel trial timed, in the order of the plan."""
    facts = data.kernel_records
    shared = set(data.planned.loc[data.planned["shared"], "trial"])
    timings = []
    for (case, device), of_case in groups(facts, _KEYS):
        owned = of_case[of_case["metric"] == "ours"]
        ours = tuple(owned.loc[owned["value"] == 1, "task"].unique())
        traffic = of_case.loc[of_case["metric"] == "bytes", "value"].max()
        timed = of_case[of_case["metric"].isin(["call_seconds", "kernel_seconds"])]
        for (cache,), rows in groups(timed, ["split"]):
            calls, kernels = (_wide(rows[rows["metric"] == f"{what}_seconds"]) for what in ("call", "kernel"))
            busy = bool(set(rows["trial"]) & shared)
            timings.append(KernelTiming(case, device, cache, calls, kernels, ours, float(traffic), busy))
    return tuple(timings)


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.pivot_table("value", ["seed", "step"], "task", sort=False)


def headlines(timings: tuple[KernelTiming, ...]) -> tuple[KernelTiming, ...]:
    """One row per case and device, with caches warm where such calls exist: what a training loop sees."""
    chosen: dict[tuple[str, str], KernelTiming] = {}
    for timing in timings:
        key = (timing.case, timing.device)
        if key not in chosen or timing.cache == "warm":
            chosen[key] = timing
    return tuple(chosen.values())
