"""Small problems of every form that core.task knows: shared rows, missing labels, one set per task, images, streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mtlbench.core.task import Data, Outline, Split, Stream, TaskSpec

TASKS = (
    TaskSpec("kind", 3, "cross_entropy"),
    TaskSpec("sign", 1, "bce_with_logits"),
    TaskSpec("sum.total", 2, "mse", unit="kg", scale=2.0, offset=5.0),  # a dot, as column names have
)
NAMES = tuple(task.name for task in TASKS)
FORMS = ("shared", "masked", "sets", "images", "stream")


def make(form: str = "shared", rows: int = 60, seed: int = 0) -> Data:
    """Three learnable tasks (a class, a binary label, two values) on 6 inputs, in one of FORMS."""
    shape = (1, 4, 6) if form == "images" else (6,)
    per_task = dict.fromkeys(NAMES, shape) if form == "sets" else shape
    parts = [_split(form, shape, size, seed + i) for i, size in enumerate((rows, rows // 2, rows // 2))]
    splits = [stream(part) if form == "stream" else part for part in parts]
    return Data(Outline(TASKS, per_task, 2 * rows), *splits)


def stream(split: Split) -> Stream:
    """The rows of a split, in batches."""

    def batches(size: int, seed: int | None) -> Iterator[Split]:
        order = np.arange(split.size) if seed is None else np.random.default_rng(seed).permutation(split.size)
        for low in range(0, split.size, size):
            yield take(split, order[low : low + size])

    return Stream(split.size, batches)


def take(split: Split, rows: np.ndarray) -> Split:
    """Some rows of a split with one set of inputs."""
    targets = {name: target[rows] for name, target in split.targets.items()}
    return Split(split.inputs[rows], targets, {name: mask[rows] for name, mask in split.masks.items()})


def _split(form: str, shape: tuple[int, ...], rows: int, seed: int) -> Split:
    if form == "sets":
        parts = [_shared(shape, max(2, rows >> t), seed + 10 * t) for t in range(len(NAMES))]
        inputs = {name: part.inputs for name, part in zip(NAMES, parts, strict=True)}
        return Split(inputs, {name: part.targets[name] for name, part in zip(NAMES, parts, strict=True)})
    split = _shared(shape, rows, seed)
    return _hide(split, seed) if form == "masked" else split


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
