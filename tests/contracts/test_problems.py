"""Every row of the table of problems keeps the promises of core.task, on files written by the test itself."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from mtlbench.core.errors import DataError
from mtlbench.core.task import Data, Outline, Split, Stream, TaskSpec
from mtlbench.problems import TABLE
from mtlbench.problems.base import Problem
from tests import entries

Spec = dict[str, Any]
PARTS = ("train", "validation", "test")


def idx(root: Path, name: str, values: np.ndarray, zipped: bool = False) -> str:
    content = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.astype("u1").tobytes()
    (root / name).write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    return name


def image_files(root: Path, stem: str, rows: int = 120, classes: int = 10, side: int = 7) -> dict[str, str]:
    rng = np.random.default_rng(len(stem) + rows)
    return {
        "images": idx(root, f"{stem}-images", rng.integers(0, 256, (rows, side, side))),
        "labels": idx(root, f"{stem}-labels.gz", np.arange(rows) % classes, zipped=True),
    }


def two_pairs(root: Path) -> Spec:
    tasks = {"letters": image_files(root, "letters", classes=5), "digits": image_files(root, "digits", rows=80, side=6)}
    return {"name": "idx", "tasks": tasks}


def mnist_folder(root: Path) -> Spec:
    rng = np.random.default_rng(0)
    for part, rows in (("train", 120), ("t10k", 30)):
        idx(root, f"{part}-images-idx3-ubyte", rng.integers(0, 256, (rows, 14, 14)))
        idx(root, f"{part}-labels-idx1-ubyte", np.arange(rows) % 10)
    return {"name": "multidigits", "path": ".", "repeats": 2}


def groups(root: Path) -> Spec:
    rng = np.random.default_rng(4)
    rows = [f"{rng.normal():.6f},{rng.normal():.6f},{'abc'[i % 3]},{rng.normal():.4f}" for i in range(90)]
    (root / "groups.csv").write_text("u,v,school,score\n" + "\n".join(rows) + "\n")
    return {"name": "tabular", "path": "groups.csv", "targets": ["score"], "group_by": "school"}


def matrix(root: Path) -> Spec:
    savemat(root / "arm.mat", {"arm": np.random.default_rng(7).normal(size=(80, 5))})
    return {"name": "tabular", "path": "arm.mat", "targets": ["c4", "c5"]}


HASHED = {"features": "hashing", "vocabulary": 1_000_000}  # so that different words are different inputs


def corpora(root: Path) -> Spec:
    """Two corpora of different words: lines with labels, and a file per class in a zip archive."""
    lines = [f"{['LOC', 'NUM', 'HUM'][i % 3]}:x where is place{i} ?" for i in range(60)]
    (root / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    held = [f"{['LOC', 'NUM', 'HUM'][i % 3]}:y who went to town{i} ?" for i in range(20)]
    (root / "held.txt").write_text("\n".join(held) + "\n", encoding="utf-8")
    with zipfile.ZipFile(root / "reviews.zip", "w") as archive:
        archive.writestr("reviews/bad", "\n".join(f"a bad film{i}" for i in range(30)))
        archive.writestr("reviews/good", "\n".join(f"a good film{i} it 's" for i in range(30)))
    classes = {"bad": "reviews.zip/reviews/bad", "good": "reviews.zip/reviews/good"}
    tasks = {"topic": {"train": "train.txt", "test": "held.txt", "coarse": True}, "review": {"classes": classes}}
    return {"name": "text", "tasks": tasks, "length": 6, **HASHED}


def tables_of_texts(root: Path) -> Spec:
    for part, rows in (("train", 60), ("dev", 20), ("test", 20)):
        lines = ["id,label,text", *(f'{i},{"ab"[i % 2]},"{part} word{i}, yes"' for i in range(rows))]
        (root / f"{part}.csv").write_text("\n".join(lines) + "\n")
    task = {"train": "train.csv", "validation": "dev.csv", "test": "test.csv", "metrics": ["auc"]}
    return {"name": "text", "tasks": {"mood": task}, "limit": 40, **HASHED}


def kinds(root: Path) -> Spec:
    """Images, sentences, a table with missing labels, vectors and schools; the vectors are the most rows."""
    images = {"name": "digits", "tasks": ["digit"], "flat": False}
    vectors = {"name": "synthetic", "rows": 2000}
    return {
        "name": "union",
        "problems": {
            "a": images,
            **{name: example(name, root) for name in ("text", "tabular", "school")},
            "d": vectors,
        },
    }


def example(name: str, root: Path) -> Spec:
    """What the entry itself offers."""
    return {"name": name, **entries.problem(name).write_example(root)}


VARIANTS: dict[str, Callable[[Path], Spec]] = {  # other forms of problems that have several
    "digits as images": lambda root: {"name": "digits", "tasks": ["loops", "parity"], "flat": False},
    "idx with tasks": two_pairs,
    "idx as stream": lambda root: {**two_pairs(root), "stream": True, "flat": True},
    "multidigits from files": mnist_folder,
    "quadratics of four": lambda root: {"name": "quadratics", "tasks": 4, "steps": 30},
    "synthetic classes": lambda root: {"name": "synthetic", "rows": 100, "kind": "classification"},
    "tabular from a matrix": matrix,
    "tabular by group": groups,
    "text from an archive": corpora,
    "text of tables": tables_of_texts,
    "toy in small steps": lambda root: {"name": "toy", "scale": 0.1, "steps": 30},
    "union of kinds": kinds,
}
EXAMPLES: dict[str, Callable[[Path], Spec]] = {**{name: partial(example, name) for name in TABLE}, **VARIANTS}


@pytest.fixture(params=EXAMPLES)
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> Spec:
    return EXAMPLES[request.param](tmp_path)


@pytest.fixture
def problem(spec: Spec) -> Problem:
    built = TABLE.build(spec)
    assert isinstance(built, Problem)
    return built


def splits(data: Data) -> Iterator[tuple[str, Split]]:
    """All splits as whole ones; the batches of a stream are put together."""
    for name in PARTS:
        split = getattr(data, name)
        yield name, joined(split) if isinstance(split, Stream) else split


def joined(stream: Stream) -> Split:
    batches = list(stream.batches(32, None))
    inputs = {task: np.concatenate([batch.inputs[task] for batch in batches]) for task in batches[0].inputs}
    targets = {task: np.concatenate([batch.targets[task] for batch in batches]) for task in batches[0].targets}
    return Split(inputs, targets)


def inputs_of(split: Split, task: str) -> np.ndarray:
    return split.inputs if isinstance(split.inputs, np.ndarray) else split.inputs[task]


def digest(data: Data) -> str:
    found = hashlib.sha256(repr(data.outline).encode())
    for _, split in splits(data):
        for task in split.targets:
            mask = split.masks.get(task, np.ones(len(split.targets[task]), dtype=bool))
            for array in (inputs_of(split, task), split.targets[task], mask):
                found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def test_same_seed_same_bytes(problem: Problem, tmp_path: Path) -> None:
    assert digest(problem.load(1, tmp_path)) == digest(problem.load(1, tmp_path))


def test_another_seed_gives_another_split(problem: Problem, tmp_path: Path) -> None:
    assert digest(problem.load(1, tmp_path)) != digest(problem.load(2, tmp_path))


def test_splits_are_disjoint_and_complete(problem: Problem, tmp_path: Path) -> None:
    data = problem.load(0, tmp_path)
    for task in data.outline.names:
        rows = [{row.tobytes() for row in inputs_of(split, task)} for _, split in splits(data)]
        assert all(rows)
        assert len(set.union(*rows)) == sum(map(len, rows))
    assert data.outline.rows == sum(getattr(data, name).size for name in PARTS)


def test_outline_agrees_with_load(problem: Problem, tmp_path: Path) -> None:
    before, after = problem.outline(tmp_path), problem.load(0, tmp_path).outline
    assert (after.input_shape, after.rows, after.notes) == (before.input_shape, before.rows, before.notes)
    assert [unscaled(task) for task in after.tasks] == list(before.tasks)
    assert len(set(before.names)) == len(before.names)


def test_labelled_training_rows_are_as_many_as_the_outline_says(problem: Problem, tmp_path: Path) -> None:
    outline = problem.outline(tmp_path)
    for seed in (0, 1):
        for _, split in list(splits(problem.load(seed, tmp_path)))[:1]:
            for task, rows in outline.labelled.items():
                assert split.masks.get(task, np.ones(len(split.targets[task]), dtype=bool)).sum() == rows


def unscaled(task: TaskSpec) -> TaskSpec:
    return TaskSpec(**{**vars(task), "scale": 1.0, "offset": 0.0})


def test_arrays_are_as_declared(problem: Problem, tmp_path: Path) -> None:
    data = problem.load(0, tmp_path)
    for name, split in splits(data):
        assert tuple(split.targets) == data.outline.names
        for task in data.outline.tasks:
            inputs, target = inputs_of(split, task.name), split.targets[task.name]
            assert inputs.shape == (len(target), *shape_of(data.outline, task.name))
            if vocabulary := data.outline.only((task.name,)).vocabulary:
                check_tokens(inputs, vocabulary if isinstance(vocabulary, int) else vocabulary[task.name])
            else:
                assert inputs.dtype == np.float32
                assert np.isfinite(inputs).all()
            mask = split.masks.get(task.name, np.ones((len(target), *task.positions), dtype=bool))
            assert mask.dtype == bool
            assert mask.shape in ((len(target),), (len(target), *task.positions))
            assert mask.any()
            assert task.name not in split.masks or not mask.all()
            assert isinstance(split.inputs, np.ndarray) or mask.reshape(len(mask), -1).any(1).all()
            check_target(task, target, mask, name == "train")


def check_tokens(inputs: np.ndarray, vocabulary: int) -> None:
    """Ids below the size of the vocabulary, at least one in each row; padding (0) only at the end."""
    assert inputs.dtype == np.int64
    assert inputs.min() >= 0
    assert inputs.max() < vocabulary
    assert (inputs[:, 0] > 0).all()
    assert (np.diff((inputs > 0).astype(int), axis=1) <= 0).all()


def shape_of(outline: Outline, task: str) -> tuple[int, ...]:
    return outline.input_shape if isinstance(outline.input_shape, tuple) else outline.input_shape[task]


def check_target(task: TaskSpec, target: np.ndarray, mask: np.ndarray, train: bool) -> None:
    if task.loss not in ("cross_entropy", "bce_with_logits"):
        assert target.dtype == np.float32
        assert target.shape == (len(mask), task.outputs, *task.positions)
        assert np.isfinite(target).all()
        target = np.moveaxis(target, 1, -1)
        assert (target[~mask] == 0).all()
        assert np.abs(target[mask]).max() < 20
        assert task.scale > 0
        return
    binary = task.loss == "bce_with_logits"
    assert target.dtype == (np.float32 if binary else np.int64)
    assert target.shape == (len(mask), *task.positions)
    assert (target[~mask] == 0).all()
    found, classes = set(target[mask].tolist()), set(range(2 if binary else task.outputs))
    assert found <= classes
    assert not train or found == classes or task.positions  # labels at positions cannot be stratified
    assert len(task.classes) == len(classes)
    assert not binary or task.outputs == 1


def test_configuration_survives_json(problem: Problem, spec: Spec, tmp_path: Path) -> None:
    dumped = json.loads(json.dumps(problem.model_dump(mode="json")))
    again = TABLE.build({"name": spec["name"], **dumped})
    assert again == problem
    assert digest(again.load(0, tmp_path)) == digest(problem.load(0, tmp_path))


def test_schema_describes_every_field(problem: Problem) -> None:
    for name, field in type(problem).model_json_schema()["properties"].items():
        assert field.get("description"), name


def test_files_are_named_and_missed(problem: Problem, spec: Spec, tmp_path: Path) -> None:
    files = problem.files(tmp_path)
    assert all(path.is_file() for path in files)
    for path in files:
        kept = path.read_bytes()
        path.unlink()
        for ask in (problem.outline, problem.files, lambda root: problem.load(0, root)):
            with pytest.raises(DataError, match=path.name.split(".")[0]):
                ask(tmp_path)
        os.mkfifo(path)  # opening it would wait for ever
        for ask in (problem.outline, problem.files, lambda root: problem.load(0, root)):
            with pytest.raises(DataError):
                ask(tmp_path)
        path.unlink()
        path.write_bytes(kept)


def test_summary_is_one_line(problem: Problem) -> None:
    assert 20 < len(type(problem).summary()) < 120
    assert "\n" not in type(problem).summary()
