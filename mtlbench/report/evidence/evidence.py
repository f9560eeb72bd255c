"""All that sections draw on, computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .agreement import Agreement, agreements
from .deltas import Delta, deltas
from .frames import ReportData
from .frontier import Frontier, frontiers
from .kernel_timings import KernelTiming, kernel_timings
from .timings import Timing, timings


@dataclass(frozen=True, eq=False)
class Evidence:
    """The data, and what was computed from them."""

    data: ReportData
    deltas: tuple[Delta, ...]
    timings: tuple[Timing, ...]
    agreements: tuple[Agreement, ...]
    kernels: tuple[KernelTiming, ...]
    frontiers: tuple[Frontier, ...]

    def engine(self, problem: str, method: str) -> str:
        """The engine whose accuracy is shown if one is enough: eager, or else the method's first."""
        return self.data.engines_of(problem, method)[0]

    def of(self, problem: str) -> tuple[Delta, ...]:
        """Delta m of every method of a problem except the baseline, with one engine each."""
        deltas = (d for d in self.deltas if d.problem == problem and not d.baseline)
        return tuple(delta for delta in deltas if delta.engine == self.engine(problem, delta.method))

    def order(self, problem: str) -> list[str]:
        """Methods as tables list them: the baseline, then the best first, then those without Delta m."""
        places = {delta.method: -delta.mean for delta in self.of(problem) if delta.relative}
        places[self.data.baseline(problem)] = -math.inf
        return sorted(self.data.methods(problem), key=lambda method: places.get(method, math.inf))

    def timing(self, problem: str, method: str, engine: str) -> Timing | None:
        """The cost of one method."""
        key = (problem, method, engine)
        return next((t for t in self.timings if (t.problem, t.method, t.engine) == key), None)


def gather(
    records: pd.DataFrame, trials: pd.DataFrame, environments: Mapping[str, Any], suite: Mapping[str, Any]
) -> Evidence:
    """Evidence from the frames of a store."""
    data = ReportData.of(records, trials, environments, suite)
    return Evidence(data, deltas(data), timings(data), agreements(data), kernel_timings(data), frontiers(data))
