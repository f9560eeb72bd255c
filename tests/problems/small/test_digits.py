from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from mtlbench.problems.small.digits import Digits, scans
from tests.toy_data import in_memory, shared_inputs

HERE = Path()


def test_targets_say_what_the_digit_is() -> None:
    data = Digits().load(0, HERE)
    loops = {"none": "123457", "one": "069", "two": "8"}
    classes = data.outline.tasks[2].classes
    for split in map(in_memory, (data.train, data.validation, data.test)):
        assert (split.targets["digit"] % 2 == split.targets["parity"]).all()
        for digit, count in zip(split.targets["digit"], split.targets["loops"], strict=True):
            assert str(digit) in loops[classes[count]]


def test_each_input_carries_its_own_label() -> None:
    images, labels = scans()
    known = {(image / 16).astype("float32").tobytes(): label for image, label in zip(images, labels, strict=True)}
    split = Digits().load(3, HERE).test
    assert [known[row.tobytes()] for row in shared_inputs(split)] == in_memory(split).targets["digit"].tolist()


def test_splits_are_stratified_by_digit() -> None:
    _, labels = scans()
    data = Digits().load(1, HERE)
    for split, share in ((data.train, 0.6), (data.validation, 0.2), (data.test, 0.2)):
        found = np.bincount(in_memory(split).targets["digit"])
        assert np.abs(found - np.bincount(labels) * share).max() < 2


def test_images_are_the_vectors() -> None:
    flat, images = Digits().load(0, HERE), Digits(flat=False).load(0, HERE)
    assert (shared_inputs(images.train).reshape(-1, 64) == shared_inputs(flat.train)).all()


def test_a_subset_of_tasks_has_the_same_rows() -> None:
    some = Digits.model_validate({"tasks": ["parity"]}).load(0, HERE)
    assert some.outline.names == ("parity",)
    assert (shared_inputs(some.test) == shared_inputs(Digits().load(0, HERE).test)).all()


@pytest.mark.parametrize("tasks", [[], ["digit", "digit"], ["colour"], "digit"])
def test_wrong_tasks(tasks: object) -> None:
    with pytest.raises(ValidationError):
        Digits.model_validate({"tasks": tasks})


def test_outline_waits_for_no_array_library() -> None:
    code = (
        "import sys; from pathlib import Path; from mtlbench.problems import TABLE\n"
        "for name in ('digits', 'multidigits', 'linnerud', 'diabetes', 'synthetic'):\n"
        "    TABLE.build({'name': name}).outline(Path())\n"
        "print({'numpy', 'sklearn', 'torch', 'pandas', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
