"""The hypervolume against grids of boxes, and what its intervals hold."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlbench.report.evidence.hypervolume import Estimate, enlargement, filled, hypervolume, reference_of
from mtlbench.report.evidence.statistics import Array

from .measure_coverage import FRONT, front_of_seeds

SEEDS = st.integers(0, 10_000)


@given(seed=SEEDS, points=st.integers(1, 6), tasks=st.integers(1, 4))
def test_the_hypervolume_is_that_of_a_grid_of_boxes(seed: int, points: int, tasks: int) -> None:
    values = np.random.default_rng(seed).integers(-1, 5, size=(points, tasks)).astype(float)
    cells = np.array(list(product(range(5), repeat=tasks)))  # unit cells above the reference, 0
    covered = np.asarray((cells[:, None, :] < values[None, :, :]).all(2)).any(1)
    assert hypervolume(values, np.zeros(tasks)) == pytest.approx(covered.sum())


def test_five_tasks_have_no_hypervolume() -> None:
    assert np.isnan(hypervolume(np.ones((2, 5)), np.zeros(5)))
    assert np.isnan(enlargement(np.ones((3, 5)), np.ones((3, 2, 5)), np.zeros(5)).value)


def test_the_reference_lies_a_tenth_of_the_range_below_the_worst_point() -> None:
    assert reference_of(np.array([[0.0, 3.0], [2.0, 1.0]])).tolist() == pytest.approx([-0.2, 0.8])


def test_a_front_of_one_point_fills_its_box_and_two_corners_a_part() -> None:
    """Corners (1, 1/2) and (1/2, 1) of a unit box leave a quarter of it."""
    corners = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert filled(corners[None], np.zeros(2)).value == pytest.approx(75)
    assert filled(corners[None, :1], np.zeros(2)).value == pytest.approx(100)


@given(seed=SEEDS)
def test_an_enlargement_is_never_negative_and_that_of_a_dominated_method_is_none(seed: int) -> None:
    method, front = front_of_seeds(seed, FRONT[2] - 0.5, seeds=4, noise=0.02)
    reference = reference_of(FRONT)
    assert enlargement(method, front, reference) == Estimate(0.0)
    found = enlargement(method + 0.5, front, reference)
    assert found.value >= 0
    assert found.interval is None or 0 <= found.interval.low <= found.value <= found.interval.high


def test_the_unit_of_a_task_does_not_matter() -> None:
    method, front = front_of_seeds(0, FRONT[2] + 0.2, seeds=5, noise=0.1)
    unit: Array = np.array([3.0, 0.01])
    reference = reference_of(FRONT)
    plain, scaled = enlargement(method, front, reference), enlargement(method * unit, front * unit, reference * unit)
    assert plain.interval is not None
    assert scaled.interval is not None
    assert (scaled.value, scaled.interval.low) == pytest.approx((plain.value, plain.interval.low))


def test_seeds_are_paired() -> None:
    """What a seed adds to all alike, as an easy test split does, hardly widens the interval."""
    method, front = front_of_seeds(0, FRONT[2] + 0.2, seeds=6, noise=0.01)
    luck = np.random.default_rng(1).normal(size=(6, 1)) * 0.2
    wide = []
    for shared, own in ((luck, luck), (luck, luck[::-1])):
        found = enlargement(method + own, front + shared[:, None], reference_of(FRONT) - 1).interval
        assert found is not None
        wide.append(found.half)
    assert wide[0] < wide[1] / 4


@pytest.mark.parametrize(("ahead", "most"), [(0.0, 0.1), (0.3, 1.0)])
def test_a_method_that_is_a_point_seldom_enlarges_the_front_for_sure(ahead: float, most: float) -> None:
    """And one that lies ahead of it does always."""
    reference = reference_of(FRONT)
    found = [enlargement(*front_of_seeds(i, FRONT[2] + ahead, 8, 0.05), reference).interval for i in range(100)]
    sure = np.mean([interval is not None and interval.low > 0 for interval in found])
    assert sure <= most
    assert ahead == 0 or sure == 1
