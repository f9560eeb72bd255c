from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mtlbench.core.errors import DataError
from mtlbench.core.task import Stream
from mtlbench.problems.images.idx import Idx
from mtlbench.problems.images.idx_files import array, images, labels
from tests.toy_data import in_memory, shared_inputs

Write = Callable[..., str]
MNIST = {
    "images": "mnist/train-images-idx3-ubyte.gz",
    "labels": "mnist/train-labels-idx1-ubyte.gz",
    "test_images": "mnist/t10k-images-idx3-ubyte.gz",
    "test_labels": "mnist/t10k-labels-idx1-ubyte.gz",
}
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (60, 4, 3))
LABELS = np.arange(60) % 3 + 1


@pytest.fixture
def pair(write_idx: Write) -> dict[str, str]:
    return {"images": write_idx("images", PIXELS), "labels": write_idx("labels.gz", LABELS)}


def test_mnist(real_data: Path) -> None:
    problem = Idx.model_validate({**MNIST, "limit": 500})
    data = problem.load(0, real_data)
    assert [split.size for split in (data.train, data.validation, data.test)] == [500] * 3
    pixels, codes = array(real_data / MNIST["test_images"]), labels(real_data / MNIST["test_labels"])
    known = {(image / np.float32(255)).astype("float32").tobytes(): c for image, c in zip(pixels, codes, strict=True)}
    classes = in_memory(data.test).targets["class"]
    assert [known[row.tobytes()] for row in shared_inputs(data.test)] == classes.tolist()
    assert np.abs(np.bincount(classes) / 500 - np.bincount(codes) / 10_000).max() < 0.005
    assert Idx.model_validate(MNIST).outline(real_data).rows == 70_000


def test_classes_are_the_labels_in_order(pair: dict[str, str], tmp_path: Path) -> None:
    task = Idx.model_validate({**pair, "task": "letter"}).outline(tmp_path).tasks[0]
    assert (task.name, task.outputs, task.classes) == ("letter", 3, ("1", "2", "3"))


def test_transposed_and_flat_layouts(pair: dict[str, str], tmp_path: Path) -> None:
    plain, turned, flat = (
        shared_inputs(Idx.model_validate({**pair, **layout}).load(0, tmp_path).train)
        for layout in ({}, {"transposed": True}, {"flat": True})
    )
    assert plain.shape[1:] == (1, 4, 3)
    assert (turned == plain.swapaxes(2, 3)).all()
    assert (flat == plain.reshape(-1, 12)).all()


def spec_of_two(write_idx: Write, pair: dict[str, str]) -> dict[str, Any]:
    test = {"test_images": write_idx("held", PIXELS[::3]), "test_labels": write_idx("held-labels", LABELS[::3])}
    small = {"images": write_idx("small.gz", PIXELS[:31, :, :2]), "labels": write_idx("small-labels", LABELS[:31])}
    # Labels of every third row are all 1: a test split of one class is the user's own choice.
    return {"tasks": {"letters": {**pair, **test}, "digits": small}}


@pytest.mark.parametrize("form", ["one", "several"])
def test_a_stream_yields_the_in_memory_splits(
    write_idx: Write, pair: dict[str, str], tmp_path: Path, form: str
) -> None:
    spec = pair if form == "one" else spec_of_two(write_idx, pair)
    whole = Idx.model_validate(spec).load(1, tmp_path)
    lazy = Idx.model_validate({**spec, "stream": True}).load(1, tmp_path)
    assert lazy.outline == whole.outline
    for name in ("train", "validation", "test"):
        split, stream = getattr(whole, name), getattr(lazy, name)
        assert isinstance(stream, Stream)
        assert stream.size == split.size
        assert all(batch.size <= 7 for batch in stream.batches(7, None))
        for task, target in split.targets.items():
            inputs = split.inputs[task] if form == "several" else split.inputs
            fixed, mixed, again, other = (rows_of(stream, task, seed) for seed in (None, 5, 5, 6))
            assert fixed == [*zip(map(bytes, inputs), target.tolist(), strict=True)]
            assert mixed == again
            assert sorted(mixed) == sorted(other) == sorted(fixed)
            if len(target) > 8:
                assert mixed not in (fixed, other)


def rows_of(stream: Stream, task: str, seed: int | None) -> list[tuple[bytes, int]]:
    rows: list[tuple[bytes, int]] = []
    for batch in stream.batches(7, seed):
        inputs = batch.inputs if isinstance(batch.inputs, np.ndarray) else batch.inputs[task]
        assert inputs.dtype == np.float32
        rows += zip(map(bytes, inputs), batch.targets[task].tolist(), strict=True)
    return rows


def test_each_streamed_training_batch_holds_every_task(write_idx: Write, pair: dict[str, str], tmp_path: Path) -> None:
    stream = Idx.model_validate({**spec_of_two(write_idx, pair), "stream": True}).load(1, tmp_path).train
    assert isinstance(stream, Stream)
    sizes = [[len(target) for target in batch.targets.values()] for batch in stream.batches(1, 0)]
    assert sizes == [[1, 1]] * 45  # letters have 45 training rows, digits only 19
    once = [[len(target) for target in batch.targets.values()] for batch in stream.batches(1, None)]
    assert np.sum(once, axis=0).tolist() == [45, 19]


def test_a_stream_of_one_task_is_cut_by_its_own_rows(write_idx: Write, pair: dict[str, str], tmp_path: Path) -> None:
    stream = Idx.model_validate({**spec_of_two(write_idx, pair), "stream": True}).load(1, tmp_path).train
    alone = stream.only(("digits",))
    assert isinstance(alone, Stream)
    assert alone.size == 19
    assert [batch.size for batch in alone.batches(10, 3)] == [9, 10]


def test_a_plain_file_is_mapped_and_not_read(pair: dict[str, str], tmp_path: Path) -> None:
    assert isinstance(array(tmp_path / pair["images"]), np.memmap)


def test_a_fixed_test_file_is_the_test_split_of_every_seed(write_idx: Write, tmp_path: Path) -> None:
    files = {"images": write_idx("i", PIXELS[:50]), "labels": write_idx("l", LABELS[:50])}
    fixed = {"test_images": write_idx("ti", PIXELS[50:]), "test_labels": write_idx("tl", LABELS[50:])}
    problem = Idx.model_validate({**files, **fixed})
    data = problem.load(0, tmp_path)
    assert (data.train.size, data.validation.size, data.test.size) == (38, 12, 10)
    assert (shared_inputs(data.test) == shared_inputs(problem.load(1, tmp_path).test)).all()
    assert (shared_inputs(data.test)[:, 0] == (PIXELS[50:] / np.float32(255)).astype("float32")).all()


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "empty": ("images", lambda content: b"", "an empty one"),
    "no IDX": ("images", lambda content: b"\x89PNG" + content, "got 89 50 4e 47"),
    "unknown type": ("images", lambda content: b"\0\0\x07\x03" + content[4:], "expected an IDX file"),
    "cut in the sizes": ("images", lambda content: content[:9], "sizes of 3 dimensions"),
    "truncated": ("images", lambda content: content[:-1], "got 735: the file is truncated"),
    "too long": ("images", lambda content: content + b"x", "the file is too long"),
    "floating point": ("images", lambda content: b"\0\0\x0e\x03" + content[4:16] + b"x" * 8 * 720, "unsigned bytes"),
    "no images": ("images", lambda content: b"\0\0\x08\x03" + b"\0" * 12, "at least one image"),
    "cut gzip": ("labels.gz", lambda content: content[:-9], "whole gzip file"),
    "images as labels": (
        "labels.gz",
        lambda content: gzip.compress(b"\0\0\x08\x02" + b"\0\0\0\1" * 2 + b"x"),
        "expected labels",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_shows_in_the_outline(pair: dict[str, str], tmp_path: Path, damage: str) -> None:
    name, change, message = DAMAGE[damage]
    rewrite(tmp_path / name, change)
    with pytest.raises(DataError) as caught:
        Idx.model_validate(pair).outline(tmp_path)
    assert str(tmp_path / name) in str(caught.value)
    assert message in str(caught.value)


def outline_of(root: Path, **spec: object) -> str:
    with pytest.raises(DataError) as caught:
        Idx.model_validate(spec).outline(root)
    return str(caught.value)


def test_files_that_do_not_fit_together(write_idx: Write, pair: dict[str, str], tmp_path: Path) -> None:
    few, one, odd = write_idx("few", LABELS[:59]), write_idx("one", LABELS * 0), write_idx("odd", LABELS + 1)
    wide = write_idx("wide", PIXELS.reshape(60, 3, 4))
    assert "few: expected 60 labels, one for each image of" in outline_of(tmp_path, images="images", labels=few)
    assert "one: expected labels of at least 2 classes" in outline_of(tmp_path, images="images", labels=one)
    assert "wide: expected images of (4, 3)" in outline_of(tmp_path, **pair, test_images=wide, test_labels="labels.gz")
    assert "got 4, which never occurs" in outline_of(tmp_path, **pair, test_images="images", test_labels=odd)
    assert "3 training rows, one per class, got 2" in outline_of(tmp_path, **pair, limit=2)
    short = {"images": write_idx("i3", PIXELS[:3]), "labels": write_idx("l3", LABELS[:3])}
    assert "expected rows for each split" in outline_of(tmp_path, **short)


def test_a_rare_class_is_always_trained_on(write_idx: Write, tmp_path: Path) -> None:
    rare = LABELS.copy()
    rare[0] = 9
    files = {"images": write_idx("i", PIXELS), "labels": write_idx("rare", rare), "limit": 10}
    for seed in range(20):
        train = Idx.model_validate(files).load(seed, tmp_path).train
        assert set(in_memory(train).targets["class"]) == {0, 1, 2, 3}
        assert train.size == 10


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"images": "a"},
        {"images": "a", "labels": "b", "test_images": "c"},
        {"images": "a", "labels": "b", "tasks": {"t": {"images": "a", "labels": "b"}}},
        {"tasks": {}},
    ],
    ids=json.dumps,
)
def test_wrong_sets_of_files(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Idx.model_validate(spec)


def test_wider_types(tmp_path: Path) -> None:
    (tmp_path / "wide").write_bytes(b"\0\0\x0c\x01" + (3).to_bytes(4) + np.array([7, -1, 2], ">i4").tobytes())
    assert labels(tmp_path / "wide").tolist() == [7, -1, 2]
    with pytest.raises(DataError, match="expected images"):
        images(tmp_path / "wide")
