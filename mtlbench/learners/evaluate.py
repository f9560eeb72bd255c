"""Losses and metrics of a model on one split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..core.metrics import METRICS
from ..core.record import Record
from ..core.task import Outline, Split, Stream, TaskSpec
from ..engine.batches import Batch, stream_batch
from ..engine.model import Model
from ..ops import per_task_losses

if TYPE_CHECKING:
    from ..core.task import Array

_CLASSES = ("cross_entropy", "bce_with_logits")


class Labels(NamedTuple):
    """Targets of a whole split by task: tensors for losses; NumPy, in the task's unit, of labelled rows for metrics."""

    targets: list[Tensor]
    masks: list[Tensor | None]
    truths: list[Array]


class Evaluator:
    """Scores a model on one split, as often as wanted; an in-memory split is moved to the device once."""

    def __init__(self, split: Split | Stream, outline: Outline, batch_size: int, device: torch.device) -> None:
        self.outline, self.batch_size, self.device = outline, batch_size, device
        self.split = split.only(outline.names)
        if isinstance(self.split, Split):
            whole = stream_batch(self.split, outline.names, device)
            self.chunks = list(_chunks(whole.inputs, self.split.size, batch_size))
            self.labels = _labels(outline, [whole])

    @torch.inference_mode()
    def records(self, model: Model, name: str, step: int, main_only: bool = False) -> list[Record]:
        """Loss and metrics, or loss and main metric, of every task that has a label in the split."""
        if not self.split.size:
            return []
        model.eval()
        outputs, labels = self._predict(model)
        kinds = [task.loss for task in self.outline.tasks]
        losses = per_task_losses(outputs, labels.targets, kinds, masks=labels.masks).tolist()
        found = []
        for t, task in enumerate(self.outline.tasks):
            if not len(labels.truths[t]):
                continue
            found.append(Record("loss", losses[t], name, task.name, higher_is_better=False, step=step))
            score = _scores(task, _known(outputs[t], labels.masks[t]))
            for metric in task.metrics[:1] if main_only else task.metrics:
                value = METRICS[metric].compute(labels.truths[t], score)
                found.append(_record(task, metric, value, name, step))
        return found

    def _predict(self, model: Model) -> tuple[list[Tensor], Labels]:
        """Outputs and labels of the whole split."""
        if isinstance(self.split, Split):
            outputs = [model(inputs) for inputs in self.chunks]
            labels = self.labels
        else:
            outputs, read = [], []
            for part in self.split.batches(self.batch_size, None):
                batch = stream_batch(part, self.outline.names, self.device)
                outputs.append(model(batch.inputs))
                read.append(batch._replace(inputs={}))
            labels = _labels(self.outline, read)
        return [torch.cat([part[name] for part in outputs]) for name in self.outline.names], labels


def _chunks(inputs: Tensor | dict[str, Tensor], size: int, batch_size: int) -> Iterator[Tensor | dict[str, Tensor]]:
    """Consecutive pieces of at most ``batch_size`` rows (of every task)."""
    for low in range(0, size, batch_size):
        piece = slice(low, low + batch_size)
        if isinstance(inputs, Mapping):
            yield {name: rows[piece] for name, rows in inputs.items()}
        else:
            yield inputs[piece]


def _labels(outline: Outline, batches: list[Batch]) -> Labels:
    """The labels of some batches together."""
    targets, masks, truths = [], [], []
    for t, task in enumerate(outline.tasks):
        target = torch.cat([batch.targets[t] for batch in batches])
        mask = torch.cat([_mask(batch, t) for batch in batches]) if any(b.masks for b in batches) else None
        truth = _known(target, mask)
        targets.append(target)
        masks.append(mask)
        truths.append(_in_unit(task, truth) if task.loss not in _CLASSES else truth.cpu().numpy())
    return Labels(targets, masks, truths)


def _mask(batch: Batch, t: int) -> Tensor:
    """The mask of task t, also where every label is known."""
    mask = batch.masks[t] if batch.masks else None
    if mask is not None:
        return mask
    return torch.ones(len(batch.targets[t]), dtype=torch.bool, device=batch.targets[t].device)


def _known(rows: Tensor, mask: Tensor | None) -> Tensor:
    return rows if mask is None else rows[mask]


def _scores(task: TaskSpec, output: Tensor) -> Array:
    """What metrics expect: class probabilities, or values in the task's unit."""
    if task.loss == "cross_entropy":
        return output.softmax(1).cpu().numpy()
    if task.loss == "bce_with_logits":
        return output.sigmoid().cpu().numpy()
    return _in_unit(task, output)


def _in_unit(task: TaskSpec, values: Tensor) -> Array:
    return values.double().cpu().numpy() * task.scale + task.offset


def _record(task: TaskSpec, metric: str, value: float, split: str, step: int) -> Record:
    found = METRICS[metric]
    return Record(
        metric,
        value,
        split,
        task.name,
        found.unit or task.unit,
        found.higher_is_better,
        step,
        metric == task.main_metric,
    )
