"""All that sections draw on, computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .agreement import Agreement, agreements
from .convergence import Convergence, convergences, with_held
from .deltas import Delta, deltas
from .earlier import at_half_patience
from .frames import ReportData
from .frontier import Frontier, frontiers
from .frontier_held import with_held as with_held_positions
from .half_claims import Claim, Judged, half_claims
from .half_patience import HalfPatience, half_patience, with_doubt
from .kernel_timings import KernelTiming, kernel_timings
from .literature import Comparison, comparisons
from .references import Reference, references
from .timings import Timing, timings
from .tunings import Tuning, tunings
from .weight_sums import WeightSum, weight_sums


@dataclass(frozen=True, eq=False)
class Evidence:
    """The data, and what was computed from them."""

    data: ReportData
    deltas: tuple[Delta, ...]
    timings: tuple[Timing, ...]
    agreements: tuple[Agreement, ...]
    kernels: tuple[KernelTiming, ...]
    convergences: tuple[Convergence, ...]
    halves: tuple[HalfPatience, ...]
    half_claims: tuple[Claim, ...]
    tunings: tuple[Tuning, ...]
    weight_sums: Mapping[tuple[str, str, str], WeightSum]
    references: tuple[Reference, ...]
    frontiers: tuple[Frontier, ...]
    literature: tuple[Comparison, ...]

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

    def beside(self, problem: str) -> tuple[Reference, ...]:
        """The references of a problem, which tables show below its methods."""
        return tuple(reference for reference in self.references if reference.problem == problem)

    def timing(self, problem: str, method: str, engine: str) -> Timing | None:
        """The cost of one method."""
        key = (problem, method, engine)
        return next((t for t in self.timings if (t.problem, t.method, t.engine) == key), None)

    def convergence(self, problem: str, method: str, engine: str) -> Convergence | None:
        """How long one method trained; None without a finished trial that has epochs."""
        key = (problem, method, engine)
        return next((c for c in self.convergences if (c.problem, c.method, c.engine) == key), None)

    def half_patience(self, problem: str) -> tuple[HalfPatience, ...]:
        """The outcomes of a problem with half the patience, in the order and with the engines of ``of``."""
        by_key = {(each.full.method, each.full.engine): each for each in self.halves if each.full.problem == problem}
        return tuple(by_key[key] for d in self.of(problem) if (key := (d.method, d.engine)) in by_key)

    def unsettled(self, against: str, problem: str) -> list[str]:
        """The methods whose answer to a question is another with half the patience."""
        asked = (claim for claim in self.half_claims if claim.question[1:] == (against, problem))
        return [claim.question.name for claim in asked if claim.differs]

    def tuning(self, problem: str, method: str, engine: str) -> Tuning | None:
        """What was tried for one method; None where nothing was."""
        key = (problem, method, engine)
        return next((t for t in self.tunings if (t.problem, t.method, t.engine) == key), None)

    def weight_sum(self, problem: str, method: str, engine: str) -> WeightSum:
        """What the task weights of one method sum to; NaN for what has none."""
        return self.weight_sums.get((problem, method, engine), WeightSum())


def gather(
    records: pd.DataFrame, trials: pd.DataFrame, environments: Mapping[str, Any], suite: Mapping[str, Any]
) -> Evidence:
    """Evidence from the frames of a store."""
    data = ReportData.of(records, trials, environments, suite)
    trained = convergences(data)
    judged = with_held(data, deltas(data), trained)
    tuned, earlier = tunings(data), at_half_patience(data)
    half = with_held(data, deltas(earlier.data), trained) if earlier else ()
    halves = half_patience(data, earlier, half, judged, trained)
    return Evidence(
        data,
        with_doubt(judged, halves),
        timings(data),
        agreements(data),
        kernel_timings(data),
        trained,
        halves,
        half_claims(Judged(data, judged, trained, tuned), earlier, half),
        tuned,
        weight_sums(data),
        references(data, trained),
        with_held_positions(data, frontiers(data), trained, tuned),
        comparisons(data),
    )
