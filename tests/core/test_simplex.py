"""Weights over the simplex: where they lie, how many there are, and which grids hold which."""

from __future__ import annotations

from math import comb, isclose

import numpy as np
import pytest

from mtlbench.core.simplex import compositions, simplex

SIZES = [(2, 2), (2, 10), (2, 11), (2, 200), (3, 2), (3, 10), (3, 28), (3, 200), (4, 2), (4, 11), (9, 16), (139, 11)]


@pytest.mark.parametrize(("tasks", "about"), SIZES)
def test_points_are_distinct_positive_and_sum_to_one_with_the_uniform_one_first(tasks: int, about: int) -> None:
    points = simplex(tasks, about)
    assert points[0] == (1 / tasks,) * tasks
    assert len(set(points)) == len(points) >= 2
    assert all(isclose(sum(point), 1, rel_tol=1e-12) and min(point) > 0 for point in points)
    assert all(len(point) == tasks for point in points)


@pytest.mark.parametrize(
    ("tasks", "about", "count"), [(2, 11, 11), (2, 10, 11), (3, 10, 10), (3, 11, 10), (3, 28, 28), (5, 11, 11)]
)
def test_the_number_of_points_is_near_to_what_is_asked(tasks: int, about: int, count: int) -> None:
    assert len(simplex(tasks, about)) == count


@pytest.mark.parametrize(("tasks", "coarse", "fine"), [(2, 11, 23), (2, 5, 11), (3, 10, 55), (3, 28, 136), (6, 8, 32)])
def test_finer_points_hold_coarser_ones_exactly(tasks: int, coarse: int, fine: int) -> None:
    assert set(simplex(tasks, coarse)) < set(simplex(tasks, fine))


def test_a_grid_of_two_tasks_is_even() -> None:
    first = sorted(point[0] for point in simplex(2, 11))
    np.testing.assert_allclose(first, np.arange(1, 12) / 12)


@pytest.mark.parametrize("tasks", [4, 6])
def test_quasi_random_points_fill_the_simplex_evenly(tasks: int) -> None:
    points = np.array(simplex(tasks, 200)[1:])
    # Uniform on the simplex (Dirichlet with ones): E w = 1/T, Var w = (T-1) / (T^2 (T+1)), P(w > c) = (1-c)^(T-1).
    np.testing.assert_allclose(points.mean(0), 1 / tasks, atol=0.02)
    np.testing.assert_allclose(points.var(0), (tasks - 1) / (tasks**2 * (tasks + 1)), rtol=0.15)
    for threshold in (0.1, 0.3, 0.5):
        np.testing.assert_allclose((points > threshold).mean(0), (1 - threshold) ** (tasks - 1), atol=0.04)


def test_compositions_are_all_of_them() -> None:
    found = list(compositions(7, 3))
    assert len(set(found)) == len(found) == comb(6, 2)
    assert all(sum(parts) == 7 and min(parts) > 0 for parts in found)
