from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mtlbench.core.task import Outline, Split, TaskSpec
from mtlbench.problems.assemble import assemble, moments, standardise

PART = np.array([0, 0, 0, 0, 1, 1, 2, 2])


@settings(deadline=None)
@given(arrays("float64", (9, 2), elements=st.floats(-1e300, 1e300)))
def test_standardised_columns_have_no_mean_and_unit_deviation_or_none(values: np.ndarray) -> None:
    mean, deviation = moments(values)
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()
    found = standardise(values, np.ones(9, dtype=bool)).astype("float64")
    assert np.abs(found.mean(axis=0)).max() < 1e-3
    nearly_constant = np.ptp(values, axis=0) <= 1e-9 * np.abs(values).max(axis=0, initial=1e-37)
    assert ((np.abs(found.std(axis=0) - 1) < 1e-3) | nearly_constant).all()


def test_a_constant_column_becomes_zero() -> None:
    assert (standardise(np.full((5, 1), 0.1), np.ones(5, dtype=bool)) == 0).all()


def outline(*tasks: TaskSpec) -> Outline:
    return Outline(tasks, (1,), len(PART))


def test_targets_are_fitted_on_labelled_training_rows_only() -> None:
    values = np.array([1.0, 3.0, np.nan, 5.0, 100.0, -100.0, 9.0, np.nan])
    data = assemble(
        outline(TaskSpec("y", 1, "mse")), np.zeros((8, 1), "float32"), {"y": values}, PART, {"y": ~np.isnan(values)}
    )
    task = data.outline.tasks[0]
    assert task.offset == pytest.approx(3)
    assert task.scale == pytest.approx(np.std([1, 3, 5]))
    assert isinstance(data.train, Split)
    assert isinstance(data.validation, Split)
    assert data.train.masks["y"].tolist() == [True, True, False, True]
    assert data.train.targets["y"][2] == 0
    assert "y" not in data.validation.masks
    assert data.validation.targets["y"] * task.scale + task.offset == pytest.approx(np.array([[100], [-100]]))


def test_joint_tasks_share_scale_and_offset() -> None:
    first = np.arange(8) % 2 == 0
    tasks = outline(TaskSpec("a", 1, "mse"), TaskSpec("b", 1, "l1"))
    values = np.arange(8.0)
    data = assemble(tasks, np.zeros((8, 1)), {"a": values, "b": values}, PART, {"a": first, "b": ~first}, joint=True)
    assert {(task.offset, task.scale) for task in data.outline.tasks} == {(1.5, float(np.std([0, 1, 2, 3])))}
