"""The learned covariance of tasks as records."""

from __future__ import annotations

import numpy as np

from mtlbench.core.task import TaskSpec
from mtlbench.learners.correlations import correlations


def found(outputs: tuple[int, ...], covariance: object) -> dict[tuple[str, str], float]:
    tasks = [TaskSpec(f"t{i}", count, "mse") for i, count in enumerate(outputs)]
    return {(record.task, record.other): record.value for record in correlations(tasks, np.array(covariance))}


def test_correlations_by_hand() -> None:
    assert found((1, 1, 1), [[4, 2, 0], [2, 1, -0.5], [0, -0.5, 1]]) == {
        ("t0", "t1"): 1,
        ("t0", "t2"): 0,
        ("t1", "t2"): -0.5,
    }


def test_several_outputs_are_set_against_those_of_equal_place() -> None:
    covariance = np.diag([1.0, 3, 2, 2, 5])
    covariance[0, 2] = covariance[2, 0] = 1
    covariance[1, 3] = covariance[3, 1] = -2
    covariance[0, 3] = covariance[3, 0] = 0.7  # of other places
    assert found((2, 2, 1), covariance) == {("t0", "t1"): -0.25}  # (1 - 2) / sqrt(4 * 4); the third has no equal


def test_a_task_without_weights_is_like_none() -> None:
    assert found((1, 1), [[0, 0], [0, 1]]) == {("t0", "t1"): 0}


def test_rounding_errors_do_not_leave_the_range() -> None:
    assert found((1, 1), [[1, -1.001], [-1.001, 1]]) == {("t0", "t1"): -1}
