from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from mtlbench.core.task import Split
from mtlbench.problems.small.digits import Digits, scans

HERE = Path()


def test_targets_say_what_the_pixels_show() -> None:
    data = Digits().load(0, HERE)
    ink = data.outline.tasks[2]
    for split in (data.train, data.validation, data.test):
        assert isinstance(split, Split)
        assert (split.targets["digit"] % 2 == split.targets["parity"]).all()
        in_grey_levels = split.targets["ink"][:, 0] * ink.scale + ink.offset
        assert in_grey_levels == pytest.approx(split.inputs.sum(axis=1) * 16, rel=1e-4)
    assert data.train.targets["ink"].mean() == pytest.approx(0, abs=1e-5)
    assert data.train.targets["ink"].std() == pytest.approx(1, abs=1e-5)


def test_each_input_carries_its_own_label() -> None:
    images, labels = scans()
    known = {(image / 16).astype("float32").tobytes(): label for image, label in zip(images, labels, strict=True)}
    split = Digits().load(3, HERE).test
    assert [known[row.tobytes()] for row in split.inputs] == split.targets["digit"].tolist()


def test_splits_are_stratified_by_digit() -> None:
    _, labels = scans()
    data = Digits().load(1, HERE)
    for split, share in ((data.train, 0.6), (data.validation, 0.2), (data.test, 0.2)):
        found = np.bincount(split.targets["digit"])
        assert np.abs(found - np.bincount(labels) * share).max() < 2


def test_images_are_the_vectors() -> None:
    flat, images = Digits().load(0, HERE), Digits(flat=False).load(0, HERE)
    assert (images.train.inputs.reshape(-1, 64) == flat.train.inputs).all()


def test_a_subset_of_tasks_has_the_same_rows() -> None:
    some = Digits.model_validate({"tasks": ["parity"]}).load(0, HERE)
    assert some.outline.names == ("parity",)
    assert (some.test.inputs == Digits().load(0, HERE).test.inputs).all()


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
