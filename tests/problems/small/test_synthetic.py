from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.linear_model import Ridge

from mtlbench.problems.small.synthetic import Synthetic
from tests.toy_data import in_memory, shared_inputs


@settings(deadline=None)
@given(st.floats(0, 1), st.integers(2, 6), st.integers(0, 99))
def test_true_vectors_have_the_stated_cosine(relatedness: float, tasks: int, seed: int) -> None:
    vectors = Synthetic(relatedness=relatedness, tasks=tasks, features=9).vectors(seed)
    expected = np.full((tasks, tasks), relatedness)
    np.fill_diagonal(expected, 1)
    assert vectors @ vectors.T == pytest.approx(expected, abs=1e-9)


def test_targets_are_the_stated_function_of_the_inputs() -> None:
    problem = Synthetic(noise=0.0)
    data = problem.load(2, Path())
    scale, offset = (np.array([getattr(t, name) for t in data.outline.tasks]) for name in ("scale", "offset"))
    found = np.hstack([in_memory(data.test).targets[name] for name in data.outline.names]) * scale + offset
    assert found == pytest.approx(shared_inputs(data.test) @ problem.vectors(2).T, abs=1e-5)


def test_classes_are_the_signs_of_the_values() -> None:
    data = Synthetic(kind="classification", noise=0.0).load(2, Path())
    values = shared_inputs(data.train) @ Synthetic().vectors(2).T
    for column, name in enumerate(data.outline.names):
        assert (in_memory(data.train).targets[name] == (values[:, column] > 0)).all()


def ridge_errors(relatedness: float, seed: int) -> tuple[float, float]:
    """Mean squared distance to the noiseless values of the test split, of one pooled ridge and of one per task."""
    problem = Synthetic(relatedness=relatedness, rows=200)
    data = problem.load(seed, Path())
    inputs, targets = shared_inputs(data.train), [in_memory(data.train).targets[name] for name in data.outline.names]
    truth = shared_inputs(data.test) @ problem.vectors(seed).T
    pooled = [Ridge().fit(np.vstack([inputs] * len(targets)), np.vstack(targets))] * len(targets)
    apart = [Ridge().fit(inputs, target) for target in targets]

    def error(models: list[Ridge]) -> float:
        found = np.column_stack([model.predict(shared_inputs(data.test)).ravel() for model in models])
        scale, offset = (np.array([getattr(t, name) for t in data.outline.tasks]) for name in ("scale", "offset"))
        return float(((found * scale + offset - truth) ** 2).mean())

    return error(pooled), error(apart)


@pytest.mark.parametrize("seed", range(5))
def test_pooling_wins_where_tasks_are_one_and_loses_where_they_have_nothing_in_common(seed: int) -> None:
    pooled, apart = ridge_errors(1.0, seed)
    assert pooled < 0.6 * apart
    pooled, apart = ridge_errors(0.0, seed)
    assert pooled > 2 * apart


def test_more_tasks_than_features() -> None:
    with pytest.raises(ValidationError, match="fewer tasks than features"):
        Synthetic(tasks=20)
