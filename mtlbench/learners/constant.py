"""The floor: one prediction for all rows, which anything that learns from the inputs has to beat."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.record import Record
from ..core.task import Outline, Split, Stream, TaskSpec
from ..measure.clock import now
from .base import Job, Learner

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..core.task import Array

_ROWS = 4096  # read from a stream, or predicted, at once …
_NUMBERS = 4_000_000  # … or fewer, where there are labels at many positions
_HALVINGS = 80  # of the interval that holds the zero of a derivative: more than a float64 has bits


class Constant(Learner):
    """Predicts the same for every row and position: c_t = argmin_c of the training loss sum_i l_t(c, y_i).

    That is the mean for mse, the median for l1, the value between them that the threshold of huber and smooth_l1 asks
    for, the mean direction for cosine, column by column where a task has several. Classes are predicted with their
    training frequencies, one row of each class added (Laplace's rule of succession), so that a class without training
    rows has a finite loss: accuracy is that of the most frequent class, AUC is 50 %. A task without any training label
    gets 0, or equal chances. All tasks are fitted apart, in one pass over the training split; nothing is random.
    """

    random = False

    @classmethod
    def uses(cls, part: str) -> bool:
        """None of the parts that gradient training consists of."""
        return False

    def beside(self, outline: Outline) -> bool:
        """On every problem of data."""
        return True

    def run(self, job: Job) -> list[Record]:
        """Count, evaluate, report. Raises TimedOut."""
        from .predictor import evaluated_model

        start, outline = now(job.device), job.data.outline.only(job.tasks)
        fits = {task.name: _fit_of(task) for task in outline.tasks}
        size = _batch(outline)
        job.check_deadline("before the first row was read")
        for part in _read(job.data.train.only(outline.names), size):
            job.check_deadline("while reading the training rows")
            for task in outline.tasks:
                fits[task.name].add(_labels(task, part))
        constants = {name: fit.best() for name, fit in fits.items()}
        seconds = now(job.device) - start
        return [
            *evaluated_model(job, _model(outline, constants), size),
            Record("train_seconds", seconds, unit="s", higher_is_better=False),
            Record("parameters", sum(map(len, constants.values())), higher_is_better=False),
        ]


class _Fit(ABC):
    """The best constant of one task, from its labels batch by batch."""

    def __init__(self, task: TaskSpec) -> None:
        self.task = task

    @abstractmethod
    def add(self, labels: Array) -> None:
        """See further labels, [M] classes or [M, K] values."""

    @abstractmethod
    def best(self) -> Array:
        """The best output [outputs]."""


class _Classes(_Fit):
    """Frequencies as logits, of all classes or of class 1 against class 0."""

    def __init__(self, task: TaskSpec) -> None:
        super().__init__(task)
        self.counts = np.ones(max(task.outputs, 2))

    def add(self, labels: Array) -> None:
        self.counts += np.bincount(labels.astype("int64"), minlength=len(self.counts))

    def best(self) -> Array:
        logits: Array = np.log(self.counts / self.counts.sum())
        return logits[1:] - logits[:1] if self.task.kind == "binary" else logits


class _Mean(_Fit):
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


class _Centre(_Fit):
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
            return np.median(values, axis=0).astype("float64")
        low, high = values.min(0).astype("float64"), values.max(0).astype("float64")
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            is_below = np.clip(values - middle, -self.threshold, self.threshold).sum(0) > 0
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
        return (low + high) / 2


def _fit_of(task: TaskSpec) -> _Fit:
    if task.kind != "regression":
        return _Classes(task)
    return _Mean(task) if task.loss in ("mse", "cosine") else _Centre(task)


def _batch(outline: Outline) -> int:
    """Rows whose outputs are not too many numbers."""
    return max(1, min(_ROWS, _NUMBERS // max(task.outputs * prod(task.positions) for task in outline.tasks)))


def _read(split: Split | Stream, size: int) -> Iterator[Split]:
    """The rows of a split, those in memory at once."""
    if isinstance(split, Split):
        yield split
    else:
        yield from split.batches(size, None)


def _labels(task: TaskSpec, part: Split) -> Array:
    """The known labels of a task, positions in line: [M] classes or [M, K] values."""
    target = part.targets[task.name]
    line = np.moveaxis(target, 1, -1) if task.kind == "regression" else target
    positions = line.shape[: 1 + len(task.positions)]
    mask = part.masks.get(task.name, np.ones(len(line), dtype=bool))
    known: Array = line[np.broadcast_to(mask.reshape(*mask.shape, *[1] * (len(positions) - mask.ndim)), positions)]
    return known


def _model(outline: Outline, constants: Mapping[str, Array]) -> nn.Module:
    """A network whose outputs are the constants, in the shapes of ``core.task``."""
    import torch
    from torch import nn

    class Same(nn.Module):
        def forward(self, inputs: Any) -> dict[str, Tensor]:
            return {task.name: self.output(task, inputs) for task in outline.tasks}

        def output(self, task: TaskSpec, inputs: Any) -> Tensor:
            rows = inputs if isinstance(inputs, torch.Tensor) else inputs[task.name]
            output = torch.from_numpy(constants[task.name]).to(rows.device, torch.float32)
            columns = () if task.kind == "binary" else (task.outputs,)
            shape = (len(rows), *columns, *task.positions)
            return output.view(1, *columns, *[1] * len(task.positions)).expand(shape)

    return Same()
