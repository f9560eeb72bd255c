"""Losses and metrics of a model on one split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ...core.metrics import metric
from ...core.metrics.base import CLASSES, CountMetric, RowMetric
from ...core.record import Record
from ...core.task import Outline, Split, Stream, TaskSpec
from ...engine.batches import Batch, stream_batch
from ...engine.losses import Kinds, reference

if TYPE_CHECKING:
    from ...core.task import Array

_NO_LABEL = -1


class Evaluator:
    """Scores models on one split, any number of times; an in-memory split is moved to the device once."""

    def __init__(self, split: Split | Stream, outline: Outline, batch_size: int, device: torch.device) -> None:
        self.outline, self.batch_size, self.device = outline, batch_size, device
        self.split = split.only(outline.names)
        if isinstance(self.split, Split):
            self.batches = [stream_batch(part, outline.names, device) for part in _pieces(self.split, batch_size)]

    @torch.inference_mode()
    def records(self, model: nn.Module, name: str, step: int, main_only: bool = False) -> list[Record]:
        """Loss and metrics, or loss and main metric, of every task that has a label in the split."""
        if not self.split.size:
            return []
        model.eval()
        scores = [_Score(task, main_only) for task in self.outline.tasks]
        kinds = Kinds.of(self.outline.tasks)
        sums, counts = torch.zeros(2, len(scores), dtype=torch.float64, device=self.device)
        for batch in self._read():
            predictions = model(batch.inputs)
            outputs = [predictions[task.name] for task in self.outline.tasks]
            losses = reference(outputs, batch.targets, kinds, batch.masks)
            sums += losses.double() * batch.counts
            counts += batch.counts
            for t, score in enumerate(scores):
                score.add(batch.targets[t], outputs[t], batch.masks[t] if batch.masks else None)
        losses_and_counts = zip((sums / counts).tolist(), counts.tolist(), scores, strict=True)
        return [
            record
            for loss, count, score in losses_and_counts
            if count
            for record in score.records(loss, name, step)
        ]  # fmt: skip

    def _read(self) -> Iterator[Batch]:
        if isinstance(self.split, Split):
            yield from self.batches
        else:
            for part in self.split.batches(self.batch_size, None):
                yield stream_batch(part, self.outline.names, self.device)


class _Score:
    """What the metrics of one task need to see of a split, collected batch by batch.

    Metrics that depend on the confusion matrix alone need only that, so that label images are not kept in memory; the
    others need all predictions.
    """

    def __init__(self, task: TaskSpec, main_only: bool) -> None:
        self.task = task
        self.metrics = {name: metric(name) for name in (task.metrics[:1] if main_only else task.metrics)}
        self.confusion: Tensor | None = None
        self.rows: list[tuple[Array, Array]] = []  # of whole rows, class indices
        self.line: list[tuple[Array, Array]] = []  # of all labelled positions
        self.needs_rows = any(isinstance(one, RowMetric) for one in self.metrics.values())
        self.needs_line = not all(isinstance(one, RowMetric | CountMetric) for one in self.metrics.values())

    def add(self, target: Tensor, output: Tensor, mask: Tensor | None) -> None:
        """Add one batch."""
        if self.task.kind not in CLASSES:
            values = _in_line(target, mask, spans=True), _in_line(output, mask, spans=True)
            self.line.append((self._in_unit(values[0]), self._in_unit(values[1])))
            return
        spans = self.task.kind == "classification"
        predicted = output.argmax(1) if spans else (output > 0).long()
        if self.needs_rows:
            whole = target.long() if mask is None else target.long().masked_fill(~_spread(mask, target), _NO_LABEL)
            self.rows.append((whole.cpu().numpy(), predicted.cpu().numpy()))
        if self.needs_line:
            # In float32 equal outputs may differ in the last bit by their place in a vector, and AUC would see it.
            exact = output.double()
            score = (exact.softmax(1) if spans else exact.sigmoid()).to(output.dtype)
            self.line.append((_in_line(target, mask).cpu().numpy(), _in_line(score, mask, spans).cpu().numpy()))
        else:
            self._count(_in_line(target.long(), mask), _in_line(predicted, mask))

    def _count(self, target: Tensor, predicted: Tensor) -> None:
        classes = max(self.task.outputs, 2)
        counts = torch.bincount(target * classes + predicted, minlength=classes**2).view(classes, classes)
        self.confusion = counts if self.confusion is None else self.confusion + counts

    def records(self, loss: float, split: str, step: int) -> Iterator[Record]:
        """The loss and all metrics."""
        yield Record("loss", loss, split, self.task.name, higher_is_better=False, step=step)
        line, rows = _joined(self.line), _joined(self.rows)
        confusion = None if self.confusion is None else self.confusion.cpu().numpy()
        for name, one in self.metrics.items():
            if isinstance(one, RowMetric):
                value = one.compute(rows[0], rows[1], self.task.classes)
            elif isinstance(one, CountMetric) and confusion is not None:
                value = one.counted(confusion)
            else:
                value = one.compute(line[0], line[1])
            unit = one.unit or self.task.unit
            is_main = name == self.task.main_metric
            yield Record(name, value, split, self.task.name, unit, one.higher_is_better, step, is_main)

    def _in_unit(self, values: Tensor) -> Array:
        return values.double().cpu().numpy() * self.task.scale + self.task.offset


def _pieces(split: Split, batch_size: int) -> Iterator[Split]:
    """Consecutive pieces of at most ``batch_size`` rows (of every task), of equal size and without copies."""
    steps = -(-split.size // batch_size)
    for step in range(steps):
        cut = partial(_part, step=step, steps=steps)
        inputs = split.inputs
        yield Split(
            {name: cut(rows) for name, rows in inputs.items()} if isinstance(inputs, Mapping) else cut(inputs),
            {name: cut(target) for name, target in split.targets.items()},
            {name: cut(mask) for name, mask in split.masks.items()},
        )


def _part(rows: Array, step: int, steps: int) -> Array:
    return rows[step * len(rows) // steps : (step + 1) * len(rows) // steps]


def _in_line(values: Tensor, mask: Tensor | None, spans: bool = False) -> Tensor:
    """The labelled positions, flattened to [M] or, where dimension 1 spans classes or values, to [M, C]."""
    line = values.movedim(1, -1) if spans else values
    positions = line.ndim - spans
    if mask is not None:
        return line[_spread(mask, line[..., 0] if spans else line)]
    return line.flatten(0, positions - 1)


def _spread(mask: Tensor, like: Tensor) -> Tensor:
    """A mask of rows, or of positions, expanded to positions."""
    return mask.reshape([*mask.shape, *[1] * (like.ndim - mask.ndim)]).expand(like.shape)


def _joined(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, ...]:
    import numpy as np

    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
