"""Files in the layout of EMNIST: letters labelled 1 to 26, digits, every image mirrored and turned to the left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlbench.core.task import Split
from mtlbench.problems.images.idx import Idx

SIDE, LETTERS, DIGITS = 28, 26, 10
Write = Callable[..., str]


def glyph(label: int, copy: int) -> np.ndarray:
    """An upright image: a long stem at the left, a bar on top, and the label and the copy in grey below it."""
    image = np.zeros((SIDE, SIDE), dtype="u1")
    image[2:26, 4:7], image[2:5, 4:20] = 255, 200
    image[10:14, 12:20], image[20, 24] = 5 * label + 1, copy
    return image


def stored(upright: np.ndarray) -> np.ndarray:
    """The bytes as EMNIST's files hold them: inverted horizontally and rotated 90 degrees anti-clockwise."""
    return np.stack([np.rot90(np.fliplr(image)) for image in upright])


def files(write_idx: Write, name: str, labels: range, turned: bool = True) -> dict[str, str]:
    """Training and test files of one of EMNIST's sets, gzipped, under the names that they come with."""
    found = {}
    for part, prefix, copies in (("train", "", 8), ("test", "test_", 2)):
        upright = np.stack([glyph(label, copy) for copy in range(copies) for label in labels])
        images, codes = stored(upright) if turned else upright, list(labels) * copies
        found[f"{prefix}images"] = write_idx(f"emnist-{name}-{part}-images-idx3-ubyte.gz", images)
        found[f"{prefix}labels"] = write_idx(f"emnist-{name}-{part}-labels-idx1-ubyte.gz", codes)
    return found


def check(split: Split, task: str, labels: range) -> None:
    """Every image stands upright and has its own label's code."""
    for image, code in zip(split.inputs[task], split.targets[task], strict=True):
        pixels = np.round(image[0] * 255).astype("u1")
        assert (pixels == glyph(labels[code], pixels[20, 24])).all()


@pytest.mark.parametrize("stream", [False, True])
def test_letters_and_digits_stand_upright(write_idx: Write, tmp_path: Path, stream: bool) -> None:
    letters, digits = range(1, LETTERS + 1), range(DIGITS)
    tasks = {"letters": files(write_idx, "letters", letters), "digits": files(write_idx, "digits", digits)}
    problem = Idx.model_validate({"tasks": tasks, "transposed": True, "stream": stream})
    outline = problem.outline(tmp_path)
    assert [task.classes for task in outline.tasks] == [tuple(map(str, letters)), tuple(map(str, digits))]
    assert outline.input_shape == {"letters": (1, SIDE, SIDE), "digits": (1, SIDE, SIDE)}
    data = problem.load(0, tmp_path)
    for part in (data.train, data.validation, data.test):
        for split in [part] if isinstance(part, Split) else part.batches(16, None):
            check(split, "letters", letters)
            check(split, "digits", digits)
    tests = [data.test] if isinstance(data.test, Split) else list(data.test.batches(16, None))
    assert sum(len(split.targets["letters"]) for split in tests) == 2 * LETTERS


def test_digits_of_mnist_beside_letters_of_emnist(write_idx: Write, tmp_path: Path) -> None:
    letters, digits = range(1, LETTERS + 1), range(DIGITS)
    tasks: dict[str, Any] = {
        "letters": {**files(write_idx, "letters", letters), "transposed": True},
        "digits": files(write_idx, "mnist", digits, turned=False),
    }
    data = Idx.model_validate({"tasks": tasks}).load(0, tmp_path)
    for split in (data.train, data.validation, data.test):
        assert isinstance(split, Split)
        check(split, "letters", letters)
        check(split, "digits", digits)
