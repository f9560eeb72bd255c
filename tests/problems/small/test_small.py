from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.datasets import load_diabetes, load_linnerud

from mtlbench.core.task import Data
from mtlbench.learners.rows import as_numbers
from mtlbench.problems import TABLE
from mtlbench.problems.small.diabetes import Diabetes
from mtlbench.problems.small.linnerud import Linnerud
from tests.toy_data import in_memory, shared_inputs


def bundled() -> list[str]:
    """The problems of data that need nothing from the user."""
    names = []
    for name in TABLE:
        with contextlib.suppress(ValidationError):  # without a path or parts it is none
            if not TABLE.build({"name": name}).outline(Path()).objectives:
                names.append(name)
    return names


@pytest.mark.parametrize("name", bundled())
def test_no_task_of_a_bundled_problem_is_constant_or_linear_in_its_inputs(name: str) -> None:
    data = TABLE.build({"name": name}).load(0, Path())
    train = in_memory(data.train)
    for task in data.outline.tasks:
        inputs = train.inputs[task.name] if isinstance(train.inputs, Mapping) else train.inputs
        x = np.c_[inputs.reshape(len(inputs), -1), np.ones(len(inputs))].astype("float64")
        known = train.masks.get(task.name, np.ones(len(x), dtype=bool))
        y = as_numbers(task, train.targets[task.name])[known]
        left = y - x[known] @ np.linalg.lstsq(x[known], y, rcond=None)[0]
        spread = y.std(axis=0)
        assert (spread > 0).all(), task.name
        assert (np.sqrt((left**2).mean(axis=0)) > 1e-3 * spread).all(), task.name


def in_units(data: Data, task: str) -> np.ndarray:
    """The targets of all rows in the task's unit, sorted."""
    spec = next(spec for spec in data.outline.tasks if spec.name == task)
    parts = [in_memory(split).targets[task] for split in (data.train, data.validation, data.test)]
    return np.sort(np.concatenate(parts)[:, 0] * spec.scale + spec.offset)


def test_linnerud_is_whole() -> None:
    data, source = Linnerud().load(0, Path()), load_linnerud()
    for column, task in enumerate(("weight", "waist", "pulse")):
        assert in_units(data, task) == pytest.approx(np.sort(source.target[:, column]), rel=1e-5)
    assert shared_inputs(data.train).mean(axis=0) == pytest.approx(0, abs=1e-6)


def test_diabetes_keeps_the_second_task_out_of_the_inputs() -> None:
    data, source = Diabetes().load(0, Path()), load_diabetes(scaled=False)
    assert in_units(data, "progression") == pytest.approx(np.sort(source.target), rel=1e-4)
    assert in_units(data, "bmi") == pytest.approx(np.sort(source.data[:, 2]), rel=1e-4)
    correlation = np.corrcoef(np.c_[shared_inputs(data.train), in_memory(data.train).targets["bmi"]].T)[-1, :-1]
    assert np.abs(correlation).max() < 0.9
