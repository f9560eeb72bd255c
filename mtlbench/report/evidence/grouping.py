"""Which tasks to train together: the exact best grouping by the gains of pairs, and how certain it is.

Shapes: T tasks, S seeds, B resamplings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .statistics import Interval, mean_interval

Array = np.ndarray[Any, np.dtype[np.float64]]
Groups = tuple[tuple[int, ...], ...]

MOST_TASKS = 10
RESAMPLINGS = 1000
FEWEST_SEEDS = 5  # with fewer, resampling says nothing: three seeds that agree always agree again


@dataclass(frozen=True)
class Grouping:
    """The best grouping, its predicted mean gain per task with its interval over seeds, and the share of resamplings
    of the seeds in which it is best again (None for too few seeds).
    """

    groups: Groups
    gain: float
    interval: Interval | None
    share: float | None


def best_grouping(gains_TTS: Array) -> Grouping | None:
    """The partition of at most ten tasks with the largest predicted gain; None if a gain is missing.

    gains_TTS[i, j, s] is the gain of task i trained with task j over task i alone, in percent, of seed s. A task is
    predicted to gain the mean of its gains with each other member of its group, and 0 alone (Fifty et al., NeurIPS
    2021, section 3.3; Standley et al., ICML 2020). Exact by dynamic programming over subsets, O(3^T).
    """
    tasks, seeds = gains_TTS.shape[1:]
    if not 2 <= tasks <= MOST_TASKS or not seeds or not np.isfinite(gains_TTS[~np.eye(tasks, dtype=bool)]).all():
        return None
    (groups,) = _best(gains_TTS.mean(2, keepdims=True))
    by_seed = sum((_value(gains_TTS, group) for group in groups), np.zeros(seeds)) / tasks
    share = None
    if seeds >= FEWEST_SEEDS:
        draws = np.random.default_rng(0).integers(seeds, size=(RESAMPLINGS, seeds))
        again = _best(np.stack([gains_TTS[:, :, draw].mean(2) for draw in draws], axis=2))
        share = sum(other == groups for other in again) / RESAMPLINGS
    return Grouping(groups, float(by_seed.mean()), mean_interval(by_seed), share)


def _best(gains_TTB: Array) -> list[Groups]:
    """The best grouping of each of B matrices."""
    tasks, draws = gains_TTB.shape[1:]
    values = [_value(gains_TTB, _members(subset)) for subset in range(1 << tasks)]
    best, chosen = [np.zeros(draws)], [np.zeros(draws, dtype=np.int64)]
    for whole in range(1, 1 << tasks):
        top, group = np.full(draws, -np.inf), np.zeros(draws, dtype=np.int64)
        for subset in _with_lowest(whole):
            value = values[subset] + best[whole ^ subset]
            better = value > top + 1e-12  # smaller groups come first and win ties
            top, group = np.where(better, value, top), np.where(better, subset, group)
        best.append(top)
        chosen.append(group)
    return [_trace(chosen, draw) for draw in range(draws)]


def _value(gains_TTB: Array, group: tuple[int, ...]) -> Array:
    """Sum over the group's tasks of what each is predicted to gain [B]."""
    inner = gains_TTB[np.ix_(group, group)]
    own = inner[range(len(group)), range(len(group))].sum(0)
    inner = np.where(np.eye(len(group), dtype=bool)[:, :, None], 0.0, inner)
    return inner.sum((0, 1)) / (len(group) - 1) if len(group) > 1 else np.zeros_like(own)


def _members(subset: int) -> tuple[int, ...]:
    return tuple(task for task in range(subset.bit_length()) if subset >> task & 1)


def _with_lowest(whole: int) -> list[int]:
    """All subsets that hold the lowest member, the smallest first."""
    lowest = whole & -whole
    rest = whole ^ lowest
    return sorted((lowest | other for other in _subsets(rest)), key=int.bit_count)


def _subsets(whole: int) -> Iterator[int]:
    other = whole
    while True:
        yield other
        if not other:
            return
        other = (other - 1) & whole


def _trace(chosen: list[np.ndarray[Any, np.dtype[np.int64]]], draw: int) -> Groups:
    groups, left = [], len(chosen) - 1
    while left:
        group = int(chosen[left][draw])
        groups.append(_members(group))
        left ^= group
    return tuple(groups)
