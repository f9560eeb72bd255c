from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mtlbench.core.power import can_be_significant, seeds_needed, smallest_p
from mtlbench.report.evidence.statistics import (
    Array,
    Gain,
    Interval,
    corrected_t,
    holm,
    mean_interval,
    ratio,
    relative,
    seed_ranks,
    shaky,
    sign_flip,
)
from tests.report.evidence.measure_coverage import (
    coverage_of_ranks,
    coverage_of_splits,
    coverage_relative,
    coverage_t,
)

HIGHER = np.array([True, False])
numbers = st.floats(-100, 100).map(lambda value: round(value, 3))
differences = st.lists(numbers, min_size=1, max_size=7)
SeedTable = list[tuple[float, float]]  # a row a seed, a column a task


def interval_of(values: Sequence[float] | Array) -> Interval:
    interval = mean_interval(values)
    assert interval is not None
    return interval


def related(method: Array, single: Array, higher: np.ndarray[Any, Any] = HIGHER) -> Gain:
    comparison = relative(method, single, higher)
    assert comparison is not None
    return comparison


@pytest.mark.parametrize("n", [3, 5, 10, 30])
def test_interval_holds_the_truth_95_times_in_100(n: int) -> None:
    rows = np.random.default_rng(n).normal(7.0, 2.0, size=(3000, n))
    assert coverage_t(rows, 7.0) == pytest.approx(0.95, abs=0.012)  # three standard errors


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize(("spread", "correlation"), [(0.02, 0.5), (0.1, 0.0), (0.1, 0.8)])
def test_interval_of_delta_m_holds_the_truth(n: int, spread: float, correlation: float) -> None:
    rng = np.random.default_rng(n)
    assert coverage_relative(rng, n, 1500, spread, correlation) == pytest.approx(0.95, abs=0.02)


def test_interval_is_the_textbook_one() -> None:
    interval = interval_of([1.0, 2.0, 3.0])
    assert (interval.low, interval.high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), rel=1e-6)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [0.1 + 0.2, 0.3, 0.3], [5.0] * 9, [1.0, 2.0, math.nan]])
def test_no_interval_rather_than_a_fake_one(values: list[float]) -> None:
    assert mean_interval(values) is None


@given(differences)
def test_sign_flip_is_exact(values: list[float]) -> None:
    flips = [np.mean(np.multiply(signs, values)) for signs in itertools.product((1, -1), repeat=len(values))]
    expected = np.mean(np.abs(flips) >= abs(np.mean(values)) - 1e-9)
    if any(values) and abs(np.mean(values)) > 1e-9:
        assert sign_flip(values) == pytest.approx(expected)
    assert sign_flip(np.negative(values)) == pytest.approx(sign_flip(values))


@given(differences, st.sampled_from([1e-9, 0.5, 4.0, 1e12]))
def test_sign_flip_knows_no_unit(values: list[float], scale: float) -> None:
    if abs(np.mean(values)) > 1e-6:
        assert sign_flip(np.multiply(values, scale)) == pytest.approx(sign_flip(values))


def test_sign_flip_of_one_direction_is_the_smallest_p() -> None:
    for n in range(1, 9):
        assert sign_flip(np.arange(1.0, n + 1)) == pytest.approx(smallest_p(n))
    assert sign_flip(np.arange(1.0, 31.0)) < 0.001  # random flips beyond twelve seeds
    assert math.isnan(sign_flip([]))
    assert sign_flip([0.0, 0.0]) == 1.0


def test_holm_on_known_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_holm_does_not_count_what_was_not_compared() -> None:
    adjusted = holm([0.01, math.nan, 0.02])
    assert adjusted[0] == pytest.approx(0.02)
    assert math.isnan(adjusted[1])
    assert adjusted[2] == pytest.approx(0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_lowers(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(after >= before for before, after in zip(p, adjusted, strict=True))
    ranked = [after for _, after in sorted(zip(p, adjusted, strict=True))]
    assert ranked == sorted(ranked)


@pytest.mark.parametrize("seeds", [2, 5, 12, 13, 14, 20, 40])
def test_the_smallest_p_is_what_equal_differences_give(seeds: int) -> None:
    """Beyond 13 seeds the flips are random, and the plan must not promise a p that they cannot give."""
    assert sign_flip([1.0] * seeds) == pytest.approx(smallest_p(seeds), rel=1e-12)


def test_power() -> None:
    assert smallest_p(5) == 0.0625
    assert seeds_needed(1) == 6
    assert seeds_needed(10) == 9
    assert not can_be_significant(8, 10)
    assert can_be_significant(9, 10)
    assert not can_be_significant(9, 0)


def test_delta_m_signs() -> None:
    single = np.array([[90.0, 2.0]] * 3)
    found = related(np.array([[99.0, 1.8]] * 3), single)
    assert found.per_task == pytest.approx([10.0, 10.0])  # more accuracy and less error are both better
    assert found.mean == pytest.approx(10.0)
    assert related(np.array([[81.0, 2.2]] * 3), single).mean == pytest.approx(-10.0)


def test_delta_m_of_a_negative_baseline_is_positive_when_better() -> None:
    found = related(np.array([[-0.25]] * 3), np.array([[-0.5]] * 3), np.array([True]))
    assert found.mean == pytest.approx(50.0)


def test_delta_m_divides_means() -> None:
    method, single = np.array([[2.0], [6.0]]), np.array([[1.0], [3.0]])
    assert related(method, single, np.array([True])).mean == pytest.approx(100.0)
    assert related(np.array([[3.0], [5.0]]), single, np.array([True])).mean == pytest.approx(100.0)


seed_tables = st.lists(st.tuples(st.floats(1, 9), st.floats(1, 9)), min_size=3, max_size=6)


@given(seed_tables, seed_tables, st.sampled_from([1e-6, 0.01, 60.0, 1e9]))
def test_delta_m_knows_no_unit(method: SeedTable, single: SeedTable, scale: float) -> None:
    n = min(len(method), len(single))
    method_ST, single_ST = np.array(method[:n]), np.array(single[:n])
    units = np.array([1.0, scale])
    one, other = related(method_ST, single_ST), related(method_ST * units, single_ST * units)
    np.testing.assert_allclose(one.influence, other.influence, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(one.differences, other.differences, rtol=1e-6, atol=1e-9)
    assert [shaky(column) for column in single_ST.T] == [shaky(column) for column in (single_ST * units).T]


@given(seed_tables)
def test_a_method_equal_to_its_baseline_gains_nothing(single: SeedTable) -> None:
    found = related(np.array(single), np.array(single))
    np.testing.assert_allclose(found.influence, 0, atol=1e-9)
    assert sign_flip(found.differences) == 1.0


@given(seed_tables, seed_tables)
def test_influence_has_the_mean_of_delta_m(method: SeedTable, single: SeedTable) -> None:
    n = min(len(method), len(single))
    found = related(np.array(method[:n]), np.array(single[:n]))
    assert found.influence.mean() == pytest.approx(found.mean, abs=1e-8)
    assert found.differences.mean() == pytest.approx(found.mean, abs=1e-8)


def test_the_baselines_uncertainty_widens_the_interval() -> None:
    rng = np.random.default_rng(0)
    method = np.full((6, 1), 20.0)
    steady = related(method + 0.1 * rng.normal(size=(6, 1)), np.full((6, 1), 10.0), np.array([True]))
    noisy = related(method, 10 + rng.normal(size=(6, 1)), np.array([True]))
    assert interval_of(noisy.influence).half > 5 * interval_of(steady.influence).half


def test_near_zero_baselines_are_flagged() -> None:
    assert shaky(np.array([0.01, -0.02, 0.03]))  # the interval holds zero
    assert not shaky(np.array([0.4, 0.41, 0.42]))
    assert relative(np.full((3, 1), 0.5), np.zeros((3, 1)), np.array([True])) is None


def test_ranks_of_a_seed_are_means_over_tasks_and_ties_share() -> None:
    values = np.array([[[90.0, 2.0], [95.0, 1.0], [90.0, 3.0]], [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]])
    np.testing.assert_allclose(seed_ranks(values, HIGHER), [[2.25, 1.0, 2.75], [2.0, 2.0, 2.0]])


@pytest.mark.parametrize("n", [3, 5, 10])
def test_interval_of_a_mean_rank_holds_its_expectation(n: int) -> None:
    assert coverage_of_ranks(np.random.default_rng(n), n, 3000) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("train", "test"), [(160, 40), (60, 30)])
def test_corrected_intervals_hold_what_is_true_of_other_data_sets(train: int, test: int) -> None:
    rng = np.random.default_rng(train)
    assert coverage_of_splits(rng, 10, 1500, train, test, corrected=False) < 0.75
    assert 0.88 < coverage_of_splits(rng, 10, 1500, train, test, corrected=True) < 0.98


def test_corrected_interval_and_test_by_hand() -> None:
    values = [1.0, 2.0, 3.0]  # mean 2, sd 1
    interval = mean_interval(values, overlap=0.25)
    assert interval is not None
    assert interval.half == pytest.approx(4.302653 * (1 / 3 + 0.25) ** 0.5, rel=1e-6)
    t = 2 / (1 / 3 + 0.25) ** 0.5
    assert corrected_t(values, 0.25) == pytest.approx(1 - t / (t**2 + 2) ** 0.5)  # Student's t of 2 degrees of freedom
    assert corrected_t(values, 0.0) == pytest.approx(float(stats.ttest_1samp(values, 0).pvalue))
    assert math.isnan(corrected_t([1.0, 1.0, 1.0], 0.25))


@given(st.lists(st.floats(-5, 5).map(lambda value: round(value, 2)), min_size=3, max_size=9), st.floats(0.01, 1))
def test_corrected_test_and_interval_agree(values: list[float], overlap: float) -> None:
    interval = mean_interval(values, overlap=overlap)
    if interval is not None:
        assert interval.contains(0) == (corrected_t(values, overlap) >= 0.05)


def test_few_seeds_can_be_significant_by_the_corrected_test() -> None:
    assert can_be_significant(3, 10, corrected=True)
    assert not can_be_significant(2, 10, corrected=True)
    assert not can_be_significant(9, 0, corrected=True)


def test_ratio_is_geometric() -> None:
    mean, interval = ratio(np.array([2.0, 8.0, 4.0]), np.array([1.0, 2.0, 2.0]))
    assert mean == pytest.approx(16 ** (1 / 3))
    assert interval is not None
    assert interval.low * interval.high == pytest.approx(mean**2)
    assert math.isnan(ratio(np.array([]), np.array([]))[0])
    assert math.isnan(ratio(np.array([0.0]), np.array([1.0]))[0])
