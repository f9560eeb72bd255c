"""A split as float64 rows of every task, divided into folds: the input of learners without gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import MtlbenchError
from ..core.seeding import derive
from ..core.task import Outline, Split, Stream, TaskSpec

if TYPE_CHECKING:
    from ..core.task import Array

_BATCH = 4096  # rows read from a stream at once


@dataclass(frozen=True)
class Rows:
    """The labelled rows of one task: x float64 [N, D], y as the split has it [N] or [N, K], fold int [N] from 0."""

    x: Array
    y: Array
    fold: Array

    def take(self, chosen: Array) -> Rows:
        """The chosen rows (bool [N] or indices)."""
        return Rows(self.x[chosen], self.y[chosen], self.fold[chosen])


def read_rows(split: Split | Stream, outline: Outline, folds: int, seed: int) -> dict[str, Rows]:
    """The labelled rows of every task, all in memory. Raises MtlbenchError for a task without any.

    Folds are drawn at random, equal in size up to one row. Where tasks share their inputs, a row is in the same fold
    for every task, so that no task's label of a held-out row is seen; otherwise each task is divided by itself.
    """
    rows = labelled_rows(split, outline, folds, seed)
    empty = [task for task in outline.names if task not in rows or not len(rows[task].x)]
    if empty:
        raise MtlbenchError(f"tasks {', '.join(empty)}: expected labelled training rows, got none")
    return rows


def labelled_rows(split: Split | Stream, outline: Outline, folds: int = 1, seed: int = 0) -> dict[str, Rows]:
    """The same of a split where a task may have no labelled row; nothing of a stream that is empty."""
    whole = _whole(split.only(outline.names))
    if whole is None:
        return {}
    rows = {}
    for task in outline.names:
        by_task = isinstance(whole.inputs, Mapping)
        inputs = whole.inputs[task] if isinstance(whole.inputs, Mapping) else whole.inputs
        fold = _deal(len(inputs), folds, derive(seed, "folds", *([task] if by_task else [])))
        labelled = whole.masks.get(task, np.ones(len(inputs), dtype=bool))
        x = inputs.reshape(len(inputs), prod(inputs.shape[1:]))[labelled].astype("float64")
        rows[task] = Rows(x, whole.targets[task][labelled], fold[labelled])
    return rows


def as_numbers(task: TaskSpec, y: Array) -> Array:
    """Labels as regression targets, float64 [N, K]: indicators of the classes, or the values themselves."""
    if task.kind == "classification":
        return np.eye(task.outputs)[y]
    return y.reshape(len(y), -1).astype("float64")


def _deal(size: int, folds: int, seed: int) -> Array:
    chance = np.random.default_rng(seed)
    return (chance.permutation(size) + chance.integers(folds)) % folds  # small tasks do not all fill fold 0


def _whole(split: Split | Stream) -> Split | None:
    """The split in memory; None for a stream without rows."""
    if isinstance(split, Split):
        return split
    parts = [part for part in split.batches(_BATCH, None) if part.size]
    if not parts:
        return None
    tasks = list(parts[0].targets)
    targets = {task: np.concatenate([part.targets[task] for part in parts]) for task in tasks}
    if isinstance(parts[0].inputs, Mapping):
        return Split({task: np.concatenate([part.inputs[task] for part in parts]) for task in tasks}, targets)
    masks = {task: np.concatenate([_labelled(part, task) for part in parts]) for task in tasks}
    return Split(np.concatenate([part.inputs for part in parts]), targets, masks)


def _labelled(part: Split, task: str) -> Array:
    return part.masks.get(task, np.ones(part.size, dtype=bool))


def as_outputs(task: TaskSpec, values: Array, least: float = 0.01) -> Array:
    """Predicted targets [N, K] as outputs in the sense of ``core.task``: indicators become logits.

    Estimates of indicators are probabilities, which are kept within [least, 1 - least] for the logarithm.
    """
    if task.kind not in ("classification", "binary"):
        return values
    chance = np.clip(values, least, 1 - least)
    outputs: Array = np.log(chance) if task.kind == "classification" else np.log(chance / (1 - chance))
    return outputs
