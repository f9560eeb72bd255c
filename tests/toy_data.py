"""Small problems of every form that core.task knows: shared rows, missing labels, one set per task, images, streams,
labels at every token or pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from mtlbench.core.task import Data, Outline, Split, Stream, TaskSpec

TASKS = (
    TaskSpec("kind", 3, "cross_entropy"),
    TaskSpec("sign", 1, "bce_with_logits"),
    TaskSpec("sum.total", 2, "mse", unit="kg", scale=2.0, offset=5.0),  # a dot, as column names have
)
NAMES = tuple(task.name for task in TASKS)
FORMS = ("shared", "masked", "sets", "images", "stream")
LENGTH, VOCABULARY, PIXELS = 6, 9, (4, 6)
# Forms with labels at positions: padded token ids (two tasks of tokens, one of rows), one set of them per task, and
# images (two tasks of pixels, one of them with unknown pixels, and one of pixels in some rows alone).
POSITIONED = ("tokens", "token sets", "pixels")


def tasks_of(form: str) -> tuple[TaskSpec, ...]:
    """The three tasks in a form of FORMS or POSITIONED."""
    kind, sign, total = TASKS
    if form in ("tokens", "token sets"):
        metrics, tags = ("chunk_f1", "accuracy"), ("O", "B-x", "I-x")
        return (
            replace(kind, positions=(LENGTH,), classes=tags, metrics=metrics),
            replace(sign, positions=(LENGTH,)),
            total,
        )
    return tuple(replace(task, positions=PIXELS) for task in TASKS) if form == "pixels" else TASKS


def make(form: str = "shared", rows: int = 60, seed: int = 0) -> Data:
    """Three learnable tasks (a class, a binary label, two values) on 6 inputs, in one of FORMS or POSITIONED."""
    shape = (1, *PIXELS) if form in ("images", "pixels") else (LENGTH,)
    per_task = dict.fromkeys(NAMES, shape) if form in ("sets", "token sets") else shape
    parts = [_split(form, shape, size, seed + i) for i, size in enumerate((rows, rows // 2, rows // 2))]
    splits = [stream(part) if form == "stream" else part for part in parts]
    vocabulary = VOCABULARY if form.startswith("token") else 0
    return Data(Outline(tasks_of(form), per_task, 2 * rows, vocabulary=vocabulary), *splits)


def stream(split: Split) -> Stream:
    """The rows of a split, in batches."""

    def batches(size: int, seed: int | None) -> Iterator[Split]:
        order = np.arange(split.size) if seed is None else np.random.default_rng(seed).permutation(split.size)
        for low in range(0, split.size, size):
            yield take(split, order[low : low + size])

    return Stream(split.size, batches)


def in_memory(part: Split | Stream) -> Split:
    """A part of a problem that is no stream."""
    assert isinstance(part, Split)
    return part


def shared_inputs(part: Split | Stream) -> np.ndarray:
    """The inputs of a part with the same rows for all tasks."""
    inputs = in_memory(part).inputs
    assert isinstance(inputs, np.ndarray)
    return inputs


def inputs_by_task(part: Split | Stream) -> Mapping[str, np.ndarray]:
    """The inputs of a part with rows of its own for each task."""
    inputs = in_memory(part).inputs
    assert isinstance(inputs, Mapping)
    return inputs


def take(split: Split, rows: np.ndarray) -> Split:
    """Some rows of a split with one set of inputs."""
    targets = {name: target[rows] for name, target in split.targets.items()}
    return Split(shared_inputs(split)[rows], targets, {name: mask[rows] for name, mask in split.masks.items()})


def _split(form: str, shape: tuple[int, ...], rows: int, seed: int) -> Split:
    if form in ("sets", "token sets"):
        draw = _tokens if form == "token sets" else partial(_shared, shape)
        parts = {name: draw(max(2, rows >> t), seed + 10 * t) for t, name in enumerate(NAMES)}
        masks = {name: part.masks[name] for name, part in parts.items() if name in part.masks}
        inputs = {name: shared_inputs(part) for name, part in parts.items()}
        return Split(inputs, {name: part.targets[name] for name, part in parts.items()}, masks)
    if form == "tokens":
        return _tokens(rows, seed)
    if form == "pixels":
        return _pixels(rows, seed)
    split = _shared(shape, rows, seed)
    return _hide(split, seed) if form == "masked" else split


def _tokens(rows: int, seed: int) -> Split:
    """Sentences of 1 to LENGTH tokens."""
    chance = np.random.default_rng(seed)
    lengths = chance.integers(1, LENGTH + 1, rows)
    known = np.arange(LENGTH) < lengths[:, None]
    ids = np.where(known, chance.integers(1, VOCABULARY, (rows, LENGTH)), 0)
    values = np.stack([(ids > 4).sum(1) - 1.5, (ids == 1).sum(1)], axis=1).astype("float32")
    targets = {"kind": ids % 3 * known, "sign": (ids > 4).astype("float32"), "sum.total": values}
    return Split(ids, targets, {"kind": known, "sign": known})


def _pixels(rows: int, seed: int) -> Split:
    """Images whose pixels' labels follow from the pixel itself."""
    chance = np.random.default_rng(seed)
    images = chance.standard_normal((rows, 1, *PIXELS)).astype("float32")
    pixels = images[:, 0]
    seen = chance.random((rows, *PIXELS)) < 0.8
    known, kept = chance.random((rows, *PIXELS)) < 0.7, chance.random(rows) < 0.5
    targets = {
        "kind": np.where(known, np.digitize(pixels, (-0.5, 0.5)), 0),
        "sign": np.where(kept[:, None, None], pixels > 0, 0).astype("float32"),
        "sum.total": np.stack([pixels, -pixels], axis=1) * seen[:, None],
    }
    return Split(images, targets, {"kind": known, "sign": kept, "sum.total": seen})


def _shared(shape: tuple[int, ...], rows: int, seed: int) -> Split:
    inputs = np.random.default_rng(seed).standard_normal((rows, *shape)).astype("float32")
    x = inputs.reshape(rows, -1)
    values = np.stack([x[:, :3].sum(1), x[:, 3] - x[:, 4]], axis=1).astype("float32")
    targets = {"kind": x[:, :3].argmax(1), "sign": (x[:, 5] > 0).astype("float32"), "sum.total": values}
    return Split(inputs, targets)


def _hide(split: Split, seed: int) -> Split:
    """Without two thirds of two tasks' labels; some rows lose both, and the third task keeps all of its own."""
    chance = np.random.default_rng(seed + 100)
    masks = {name: chance.random(split.size) < 1 / 3 for name in NAMES[:2]}
    targets = dict(split.targets)
    for name, mask in masks.items():
        targets[name] = np.where(mask, targets[name], 0).astype(targets[name].dtype)
    return replace(split, targets=targets, masks=masks)
