"""Where a method stands to a set of trade-offs between tasks: before them, among them, or behind them.

Shapes: S seeds, K points, T tasks. Larger values are better on every task. NumPy alone, like ``statistics``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from ...core.power import FEWEST
from .statistics import LEVEL, Array, Interval, mean_interval, p_of


def non_dominated(points_KT: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """[K] whether no other point is at least as good on all tasks and better on one."""
    no_worse_KK = (points_KT[:, None, :] >= points_KT[None, :, :]).all(2)
    better_KK = (points_KT[:, None, :] > points_KT[None, :, :]).any(2)
    dominated_K: np.ndarray[Any, np.dtype[np.bool_]] = np.asarray((no_worse_KK & better_KK).any(0))
    return ~dominated_K


@dataclass(frozen=True, eq=False)
class Distance:
    """The signed distance of a method to the mixtures of some points, with the two solutions that prove it.

    value       epsilon, in the unit of the values: positive if no mixture is as good on every task
    preference  [T] weights of tasks, positive and of sum 1, by which the method is ahead of every point by epsilon
    mixture     [K] shares of points, positive and of sum 1, which nowhere fall behind the method by more than epsilon
    """

    value: float
    preference: Array
    mixture: Array


def distance(method_T: Array, points_KT: Array) -> Distance:
    """epsilon = min_a max_t (m_t - sum_k a_k p_kt) = max_w min_k sum_t w_t (m_t - p_kt), a and w on their simplex.

    The additive epsilon indicator of the one method against all mixtures of the points: what must be added to the best
    mixture on every task before it is as good as the method everywhere. A mixture is attained, on average over rows, by
    drawing one of the trained models for each row; so a method that merely fills a gap between points is not ahead of
    them. Both sides are one linear program and its dual.

    Source: Zitzler et al., Performance assessment of multiobjective optimizers 2003, section IV. Deviation: mixtures
    of points instead of points.
    """
    points, tasks = points_KT.shape
    solution = optimize.linprog(
        c=[*[0.0] * points, 1.0],
        A_ub=np.column_stack([-points_KT.T, -np.ones(tasks)]),
        b_ub=-method_T,
        A_eq=[[*[1.0] * points, 0.0]],
        b_eq=[1.0],
        bounds=[*[(0.0, None)] * points, (None, None)],
        method="highs",
    )
    return Distance(float(solution.fun), -np.asarray(solution.ineqlin.marginals), np.asarray(solution.x[:-1]))


@dataclass(frozen=True, eq=False)
class Bounds:
    """What seeds say of a signed distance.

    ahead    [S, K] by how much the method is ahead of each point, by a preference that other seeds chose
    beside   [S, T] by how much it is ahead of a mixture that other seeds chose, on each task
    overlap  what corrects for the overlap of training sets (``mean_interval``)
    """

    ahead: Array
    beside: Array
    overlap: float = 0.0

    def interval(self, level: float = LEVEL) -> Interval | None:
        """[min_k low(ahead_k), max_t high(beside_t)], of Student's t intervals; None for fewer than three seeds.

        Either end is wrong in at most half of 1 - level of runs. For the distance is at least what any preference
        shows against its strongest point, and at most what any mixture leaves on its weakest task; and of the lower
        ends of all points the lowest lies no higher than that of the strongest (an intersection-union test, which
        needs no correction for the number of points: Berger 1982).
        """
        if len(self.ahead) < FEWEST:
            return None
        low = min(_ends(column, level, self.overlap).low for column in self.ahead.T)
        high = max(_ends(column, level, self.overlap).high for column in self.beside.T)
        return Interval(min(low, high), max(low, high))

    @property
    def p(self) -> float:
        """Of the exact sign-flip test, or where intervals are corrected of the t test that agrees with them, for the
        side on which the method stands: the largest over points, if it is ahead of all of them, or over tasks, if it is
        behind the mixture on all of them; 1 if neither. NaN without a seed.
        """
        if not len(self.ahead):
            return math.nan
        sides = (self.ahead, -self.beside)
        return min(
            max(p_of(column, column, self.overlap) for column in side.T) if (side.mean(0) > 0).all() else 1.0
            for side in sides
        )


def _ends(values: Array, level: float, overlap: float) -> Interval:
    """The interval of a mean; the value itself where all are equal, as for a method that is one of the points."""
    mean = float(values.mean())
    return mean_interval(values, level, overlap) or Interval(mean, mean)


def bounds(
    method_ST: Array, points_SKT: Array, choosing_ST: Array, choosing_SKT: Array, overlap: float = 0.0
) -> Bounds:
    """The two sides of ``distance`` seed by seed, each by what was chosen without that seed and without test data.

    method_ST, points_SKT      values on the test split, seeds paired
    choosing_ST, choosing_SKT  the same on the validation split

    Preference w and mixture a of seed s solve ``distance`` for the validation means of the other seeds. Chosen by the
    values that they are judged by, both would flatter: w takes the direction in which luck was best. The seed's own
    validation split would flatter, too, since what a model's initial weights were worth shows on both of its splits.
    All points take part, so that the best of several noisy points counts for the points, never for the method.
    """
    seeds = len(method_ST)
    ahead, beside = np.empty((seeds, points_SKT.shape[1])), np.empty(method_ST.shape)
    for s in range(seeds):
        rest = np.arange(seeds) != s if seeds > 1 else np.ones(1, dtype=bool)
        chosen = distance(choosing_ST[rest].mean(0), choosing_SKT[rest].mean(0))
        ahead[s] = (method_ST[s] - points_SKT[s]) @ chosen.preference
        beside[s] = method_ST[s] - chosen.mixture @ points_SKT[s]
    return Bounds(ahead, beside, overlap)
