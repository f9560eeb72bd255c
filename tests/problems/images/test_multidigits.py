from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mtlbench.core.errors import DataError
from mtlbench.problems.images.multidigits import MultiDigits
from mtlbench.problems.small.digits import scans
from tests.toy_data import in_memory, shared_inputs

HERE = Path()
SPLITS = ("train", "validation", "test")


def corner_keys(images: np.ndarray) -> list[bytes]:
    """The top two rows and left two columns of 8x8 digits: what the right digit never covers."""
    return [np.r_[image[:2].ravel(), image[2:, :2].ravel()].tobytes() for image in images]


def test_no_source_digit_is_seen_in_two_splits() -> None:
    pictures, labels = scans()
    known: dict[bytes, set[int]] = {}
    for index, key in enumerate(corner_keys((pictures / 16).astype("float32"))):
        known.setdefault(key, set()).add(index)
    data = MultiDigits(repeats=3).load(0, HERE)
    seen: list[set[int]] = []
    for name in SPLITS:
        split = getattr(data, name)
        sources = [known[key] for key in corner_keys(split.inputs[:, 0, :8, :8])]
        pairs = zip(sources, split.targets["left"], strict=True)
        unique = [(next(iter(found)), label) for found, label in pairs if len(found) == 1]
        assert all(labels[index] == label for index, label in unique)
        seen.append({index for index, _ in unique})
    assert min(map(len, seen)) > 50
    assert len(set.union(*seen)) == sum(map(len, seen))


def test_the_larger_value_wins_and_the_right_digit_stands_lower_right() -> None:
    problem = MultiDigits(limit=100)
    images, labels, white = problem._sources(5, HERE)[0]
    split = problem.load(5, HERE).train
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    assert white == 16
    canvases, targets = shared_inputs(split), in_memory(split).targets
    assert canvases.shape == (100, 1, 10, 10)
    for canvas, left, right in zip(canvases[:, 0] * 16, targets["left"], targets["right"], strict=True):
        pairs = [
            (known[a.tobytes()], known[b.tobytes()])
            for a in images[np.all(images[:, :2] == canvas[:2, :8], axis=(1, 2))]
            for b in images[np.all(images[:, -2:] == canvas[-2:, 2:], axis=(1, 2))]
            if (np.maximum(np.pad(a, (0, 2)), np.pad(b, (2, 0))) == canvas).all()
        ]
        assert pairs == [(left, right)]


def test_every_digit_stands_left_and_right_as_often() -> None:
    data = MultiDigits(repeats=2).load(0, HERE)
    assert data.train.size == 2 * 1078
    targets = in_memory(data.train).targets
    assert (np.bincount(targets["left"]) == np.bincount(targets["right"])).all()
    assert data.outline.rows == 2 * 1797


def test_both_digits_can_be_read() -> None:
    data = MultiDigits(flat=True, repeats=2).load(0, HERE)
    train, test = in_memory(data.train), in_memory(data.test)
    for task in ("left", "right"):
        model = LogisticRegression(max_iter=200, tol=1e-2).fit(train.inputs, train.targets[task])
        assert model.score(test.inputs, test.targets[task]) > 0.5


def test_mnist(real_data: Path) -> None:
    problem = MultiDigits(path="mnist", limit=300)
    outline, data = problem.outline(real_data), problem.load(0, real_data)
    assert outline.input_shape == (1, 36, 36)
    assert (data.train.size, data.validation.size, data.test.size, outline.rows) == (300, 300, 300, 900)
    corner = shared_inputs(data.test)[:, 0, 28 + 6 :, :]
    assert (corner == 0).all()  # both digits together reach 34 of 36 pixels
    assert MultiDigits(path="mnist").outline(real_data).rows == 70_000


def test_a_folder_that_is_no_mnist(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.*no such file"):
        MultiDigits(path=".").outline(tmp_path)
    with pytest.raises(DataError, match="nowhere: expected the folder"):
        MultiDigits(path="nowhere").files(tmp_path)


def test_paths_are_relative_to_a_relative_folder(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(real_data.parent)
    assert MultiDigits(path="mnist").outline(Path(real_data.name)).input_shape == (1, 36, 36)
