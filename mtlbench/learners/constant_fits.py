"""The best constant of every loss, from labels batch by batch, and the network that predicts it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ..core.task import Outline, Split, Stream, TaskSpec

if TYPE_CHECKING:
    from ..core.task import Array

_ROWS = 4096  # read from a stream, or predicted, at once …
_NUMBERS = 4_000_000  # … or fewer, where there are labels at many positions
_HALVINGS = 80  # of the interval that holds the zero of a derivative: more than a float64 has bits


class Fit(ABC):
    """The best constant of one task, from its labels batch by batch."""

    def __init__(self, task: TaskSpec) -> None:
        self.task = task

    @abstractmethod
    def add(self, labels: Array) -> None:
        """See further labels, [M] classes or [M, K] values."""

    @abstractmethod
    def best(self) -> Array:
        """The best output [outputs]."""


class _Classes(Fit):
    """Frequencies as logits, of all classes or of class 1 against class 0."""

    def __init__(self, task: TaskSpec) -> None:
        super().__init__(task)
        self.counts = np.ones(max(task.outputs, 2))

    def add(self, labels: Array) -> None:
        self.counts += np.bincount(labels.astype("int64"), minlength=len(self.counts))

    def best(self) -> Array:
        logits: Array = np.log(self.counts / self.counts.sum())
        return logits[1:] - logits[:1] if self.task.kind == "binary" else logits


class _Mean(Fit):
    """The mean of values; of directions, where lengths do not count, the mean of the vectors of length 1."""

    def __init__(self, task: TaskSpec) -> None:
        super().__init__(task)
        self.total, self.rows = np.zeros(task.outputs), 0

    def add(self, labels: Array) -> None:
        values = labels.astype("float64")
        if self.task.loss == "cosine":
            values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        self.total += values.sum(0)
        self.rows += len(values)

    def best(self) -> Array:
        return self.total / max(self.rows, 1)


class _Centre(Fit):
    """The zero of c -> sum_i clip(y_i - c, ±threshold), the derivative of huber and smooth_l1; the median for 0."""

    def __init__(self, task: TaskSpec) -> None:
        super().__init__(task)
        self.threshold = 0.0 if task.loss == "l1" else task.loss_parameter
        self.values: list[Array] = []

    def add(self, labels: Array) -> None:
        self.values.append(labels)

    def best(self) -> Array:
        values = np.concatenate(self.values) if self.values else np.zeros((0, self.task.outputs))
        if not len(values):
            return np.zeros(self.task.outputs)
        if not self.threshold:
            median: Array = np.median(values, axis=0).astype("float64")
            return median
        low: Array = values.min(0).astype("float64")
        high: Array = values.max(0).astype("float64")
        for _ in range(_HALVINGS):
            middle: Array = (low + high) / 2
            is_below = np.clip(values - middle, -self.threshold, self.threshold).sum(0) > 0
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
        return middle


def fit_of(task: TaskSpec) -> Fit:
    """What finds the best constant of a task."""
    if task.kind != "regression":
        return _Classes(task)
    return _Mean(task) if task.loss in ("mse", "cosine") else _Centre(task)


def batch_size(outline: Outline) -> int:
    """Rows whose outputs are not too many numbers."""
    return max(1, min(_ROWS, _NUMBERS // max(task.outputs * prod(task.positions) for task in outline.tasks)))


def read(split: Split | Stream, size: int) -> Iterator[Split]:
    """The rows of a split, those in memory at once."""
    if isinstance(split, Split):
        yield split
    else:
        yield from split.batches(size, None)


def labels_of(task: TaskSpec, part: Split) -> Array:
    """The known labels of a task, positions in line: [M] classes or [M, K] values."""
    target = part.targets[task.name]
    line = np.moveaxis(target, 1, -1) if task.kind == "regression" else target
    positions = line.shape[: 1 + len(task.positions)]
    mask = part.masks.get(task.name, np.ones(len(line), dtype=bool))
    known: Array = line[np.broadcast_to(mask.reshape(*mask.shape, *[1] * (len(positions) - mask.ndim)), positions)]
    return known


class Same(nn.Module):
    """A network whose outputs are the constants, in the shapes of ``core.task``."""

    def __init__(self, outline: Outline, constants: Mapping[str, Array]) -> None:
        super().__init__()
        self.tasks, self.constants = outline.tasks, constants

    def forward(self, inputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs of every task, views of one row."""
        return {
            task.name: self._output(task, inputs if isinstance(inputs, Tensor) else inputs[task.name])
            for task in self.tasks
        }

    def _output(self, task: TaskSpec, rows: Tensor) -> Tensor:
        output = torch.from_numpy(self.constants[task.name]).to(rows.device, torch.float32)
        columns = () if task.kind == "binary" else (task.outputs,)
        positions = [1] * len(task.positions)
        return output.view(1, *columns, *positions).expand(len(rows), *columns, *task.positions)
