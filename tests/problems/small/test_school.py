from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from mtlbench.core.errors import DataError
from mtlbench.core.task import Data
from mtlbench.problems.small.school import School
from tests.toy_data import in_memory, inputs_by_task

PARTS = ("train", "validation", "test")


def counts(data: Data) -> np.ndarray:
    """Pupils by school and split, int [T, 3]."""
    splits = [getattr(data, part) for part in PARTS]
    return np.array([[len(split.targets[name]) for split in splits] for name in data.outline.names])


def cells(values: list[np.ndarray]) -> np.ndarray:
    found = np.empty((1, len(values)), dtype=object)
    found[0] = values
    return found


@pytest.fixture
def write_school(tmp_path: Path) -> Callable[..., School]:
    def write(inputs: list[np.ndarray], scores: list[np.ndarray], **fields: Any) -> School:
        savemat(tmp_path / "school.mat", {"X": cells(inputs), "Y": cells(scores)})
        return School(path="school.mat", **fields)

    return write


@pytest.mark.parametrize("train", [0.2, 0.4, 0.75])
def test_the_real_file(real_data: Path, train: float) -> None:
    data = School(path="school/school.mat", train=train, validation=0).load(0, real_data)
    pupils = counts(data)
    assert (len(pupils), pupils.sum(), pupils[:, 1].sum()) == (139, 15_362, 0)
    assert np.abs(pupils[:, 0] - train * pupils.sum(1)).max() <= 0.5
    assert {(task.scale, task.offset) for task in data.outline.tasks} == {
        (data.outline.tasks[0].scale, data.outline.tasks[0].offset)
    }
    assert isinstance(data.outline.input_shape, Mapping)
    assert data.outline.input_shape["school_139"] == (27,)


def test_pooled_error_in_points_is_that_of_the_standardised_targets(real_data: Path) -> None:
    """Predicting the mean of all training pupils errs by about the deviation of all scores."""
    data = School(path="school/school.mat").load(0, real_data)
    test, spec = np.concatenate(list(in_memory(data.test).targets.values())), data.outline.tasks[0]
    assert spec.scale * np.sqrt((test**2).mean()) == pytest.approx(12.7, abs=0.5)
    assert set(np.round(test[:, 0] * spec.scale + spec.offset)) <= set(range(1, 71))


def test_the_test_pupils_do_not_depend_on_validation(real_data: Path) -> None:
    without = School(path="school/school.mat", validation=0).load(3, real_data)
    held = School(path="school/school.mat", validation=0.3).load(3, real_data)
    pupils = counts(held)
    assert (counts(without)[:, 2] == pupils[:, 2]).all()
    assert pupils[:, 1].sum() == pytest.approx(0.3 * 0.75 * 15_362, rel=0.01)
    for name in without.outline.names:
        scores = [
            in_memory(split).targets[name] * data.outline.tasks[0].scale + data.outline.tasks[0].offset
            for data, split in ((without, without.test), (held, held.test))
        ]
        assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_every_school_keeps_a_pupil_in_every_split(write_school: Callable[..., School], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(rows, 4)) for rows in (3, 4, 50)]
    problem = write_school(inputs, [rng.normal(size=(len(rows), 1)) for rows in inputs], train=0.05)
    assert counts(problem.load(0, tmp_path)).tolist() == [[1, 1, 1], [1, 1, 2], [1, 1, 48]]


def test_features_that_never_vary_are_left_out_and_noted(write_school: Callable[..., School], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = [np.column_stack([rng.normal(size=(9, 2)), np.ones(9)]) for _ in range(2)]
    problem = write_school(inputs, [rng.normal(size=(9, 1))] * 2)
    assert problem.outline(tmp_path).notes == ("1 of 3 features never vary and are left out",)
    data = problem.load(0, tmp_path)
    assert inputs_by_task(data.train)["school_1"].shape[1] == 2


def test_faults(write_school: Callable[..., School], tmp_path: Path) -> None:
    ones = np.ones((5, 2))
    faults = {
        r"school 2: expected at least 3 pupils, X \[pupils, 2\]": ([ones, ones[:2]], [ones[:, :1], ones[:2, :1]]),
        "as many cells in X as in Y": ([ones] * 3, [ones[:, :1]] * 2),
        "school 1: expected finite numbers": ([ones * np.nan, ones], [ones[:, :1]] * 2),
    }
    for message, (inputs, scores) in faults.items():
        with pytest.raises(DataError, match=message):
            write_school(inputs, scores).outline(tmp_path)
    savemat(tmp_path / "school.mat", {"X": ones})
    with pytest.raises(DataError, match=r"cell arrays X and Y.*got X"):
        School(path="school.mat").outline(tmp_path)
    (tmp_path / "school.mat").write_text("no such thing\n" * 99)
    with pytest.raises(DataError, match=r"school\.mat: expected a MATLAB file"):
        School(path="school.mat").outline(tmp_path)
