"""Weights spread over the simplex: a grid for two and three tasks, quasi-random points for more."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

Weights = tuple[float, ...]
MOST_ON_GRID = 3  # tasks; the grid of four has too few sizes to choose from


def simplex(tasks: int, about: int) -> tuple[Weights, ...]:
    """About ``about`` weightings w of ``tasks`` tasks, w_t > 0 and sum_t w_t = 1; the uniform one first.

    Two and three tasks: all w whose w_t are positive multiples of 1/m, and the uniform w; m is such that their number
    is nearest to ``about`` (of two that are equally near, the larger). 2 tasks, 11: multiples of 1/12. 3 tasks, 10:
    multiples of 1/6. There is no w_t = 0, since it would leave the head of task t untrained. A grid holds another
    where its m is a multiple of the other's.

    More tasks: the uniform w, and a Sobol sequence u in [0, 1)^(T-1) without its first point, mapped so that volume is
    kept: w_t = (1 - sum_{s<t} w_s) (1 - (1 - u_t)^(1/(T-t))). More points continue the same sequence.

    Source: Fang and Wang, Number-theoretic Methods in Statistics 1994, for the map.
    """
    uniform = (1 / tasks,) * tasks
    points = _grid(_denominator(tasks, about), tasks) if tasks <= MOST_ON_GRID else _sobol(tasks, about - 1)
    return (uniform, *(point for point in points if len(set(point)) > 1))


def _denominator(tasks: int, about: int) -> int:
    """The m whose grid has nearest to ``about`` points."""

    def size(m: int) -> int:
        return comb(m - 1, tasks - 1) + (m % tasks > 0)

    candidates = range(tasks + 1, tasks + 2 + about)
    return min(candidates, key=lambda m: (abs(size(m) - about), -m))


def _grid(m: int, tasks: int) -> Iterator[Weights]:
    for parts in compositions(m, tasks):
        yield tuple(part / m for part in parts)


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write ``total`` as an ordered sum of positive integers, in lexicographic order."""
    if parts == 1:
        yield (total,)
        return
    for first in range(1, total - parts + 2):
        yield from ((first, *rest) for rest in compositions(total - first, parts - 1))


def _sobol(tasks: int, count: int) -> Iterator[Weights]:
    from scipy.stats import qmc

    sequence = qmc.Sobol(tasks - 1, scramble=False).fast_forward(1)  # the first point, 0, is a corner of the simplex
    for cube in sequence.random(count).tolist():
        left, weights = 1.0, []
        for t, u in enumerate(cube, start=1):
            weights.append(left * (1 - (1 - u) ** (1 / (tasks - t))))
            left -= weights[-1]
        yield (*weights, left)
