"""The statistics of a frontier against independent oracles, and how often its claims are wrong."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbench.core.simplex import simplex
from mtlbench.report.evidence.dominance import bounds, distance, non_dominated
from mtlbench.report.evidence.statistics import Array, Interval

SEEDS = st.integers(0, 10_000)


def cloud(seed: int, points: int, tasks: int) -> Array:
    return np.random.default_rng(seed).normal(size=(points, tasks)).round(1)  # rounded, so that there are ties


@given(seed=SEEDS, points=st.integers(1, 9), tasks=st.integers(1, 4))
def test_non_dominated_points_are_those_that_pairwise_comparison_leaves(seed: int, points: int, tasks: int) -> None:
    values = cloud(seed, points, tasks)
    left = [not any((q >= p).all() and (q > p).any() for q in values) for p in values]
    assert non_dominated(values).tolist() == left
    assert any(left)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, points=st.integers(1, 6))
def test_the_distance_is_the_best_of_all_mixtures_and_of_all_preferences(seed: int, points: int) -> None:
    """Two tasks, by brute force: mixtures of two points are enough there, and preferences are a line."""
    values, method = cloud(seed, points, 2), cloud(seed + 1, 1, 2)[0]
    shares = np.linspace(0, 1, 401)[:, None]
    mixtures = np.concatenate([shares * p + (1 - shares) * q for p, q in product(values, values)])
    preferences = np.stack([shares[:, 0], 1 - shares[:, 0]])
    found = distance(method, values)
    assert found.value == pytest.approx((method - mixtures).max(1).min(), abs=0.02)
    assert found.value == pytest.approx(((method - values) @ preferences).min(0).max(), abs=0.02)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, points=st.integers(1, 8), tasks=st.integers(1, 5))
def test_both_solutions_prove_the_distance(seed: int, points: int, tasks: int) -> None:
    values, method = cloud(seed, points, tasks), cloud(seed + 1, 1, tasks)[0]
    found = distance(method, values)
    for shares in (found.preference, found.mixture):
        assert shares.sum() == pytest.approx(1)
        assert shares.min() >= -1e-9
    assert ((method - values) @ found.preference).min() == pytest.approx(found.value, abs=1e-8)
    assert (method - found.mixture @ values).max() == pytest.approx(found.value, abs=1e-8)
    assert distance(method + 3, values).value == pytest.approx(found.value + 3, abs=1e-8)


def drawn(rng: np.random.Generator, means: Array, seeds: int, noise: float) -> tuple[Array, Array]:
    """Test and validation values [S, 1 + K, T]: seeds share their split, and a trial its training."""
    shape = (seeds, *means.shape)
    shared = 0.7 * rng.normal(size=(seeds, 1, means.shape[1])) + 0.7 * rng.normal(size=shape)
    test, validation = (means + noise * (0.8 * shared + 0.6 * rng.normal(size=shape)) for _ in range(2))
    return test, validation


def judged(tasks: int, seeds: int, noise: float, shift: float, at: str, times: int) -> tuple[list[Interval], float]:
    """Intervals of a method that lies ``shift`` before a point of a bent frontier, or between two, and its distance."""
    rng = np.random.default_rng([tasks, seeds, int(10 * noise)])
    points = 2 * np.sqrt(np.array(simplex(tasks, 5)))
    near = np.argsort(((points - points[0]) ** 2).sum(1))[1]
    method = (points[0] if at == "point" else (points[0] + points[near]) / 2) + shift
    intervals = []
    for _ in range(times):
        test, validation = drawn(rng, np.vstack([method, points]), seeds, noise)
        interval = bounds(test[:, 0], test[:, 1:], validation[:, 0], validation[:, 1:]).interval()
        assert interval is not None
        intervals.append(interval)
    return intervals, distance(method, points).value


@pytest.mark.parametrize("at", ["point", "chord"])
@pytest.mark.parametrize(("tasks", "seeds", "noise"), [(2, 3, 0.5), (2, 6, 0.1), (3, 4, 1.0)])
def test_a_method_on_the_frontier_is_seldom_called_beyond_or_behind(
    tasks: int, seeds: int, noise: float, at: str
) -> None:
    intervals, truth = judged(tasks, seeds, noise, 0.0, at, times=150)
    assert abs(truth) < 1e-9
    assert sum(interval.low > 0 for interval in intervals) <= 0.05 * len(intervals)
    assert sum(interval.high < 0 for interval in intervals) <= 0.05 * len(intervals)


@pytest.mark.parametrize("shift", [-0.4, 0.4])
def test_a_method_far_from_the_frontier_is_called_so_and_its_interval_holds_the_distance(shift: float) -> None:
    intervals, truth = judged(2, 6, 0.15, shift, "point", times=40)
    assert truth == pytest.approx(shift, abs=1e-6)
    right = [interval.low > 0 if shift > 0 else interval.high < 0 for interval in intervals]
    assert sum(right) >= 34
    assert sum(interval.contains(truth) for interval in intervals) >= 36


def test_one_of_the_points_is_not_ahead_of_itself() -> None:
    rng = np.random.default_rng(0)
    test, validation = (rng.normal(size=(5, 4, 2)) for _ in range(2))
    found = bounds(test[:, 2], test, validation[:, 2], validation)
    interval = found.interval()
    assert interval is not None
    assert interval.low <= 0
    assert found.p == 1


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_have_no_interval(seeds: int) -> None:
    values = np.random.default_rng(0).normal(size=(seeds, 3, 2))
    assert bounds(values[:, 0], values[:, 1:], values[:, 0], values[:, 1:]).interval() is None
