"""Training batches: in-memory splits are on the training device and batched by index; streams are copied as read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core.seeding import derive
from ..core.task import Split, Stream

if TYPE_CHECKING:
    from ..core.task import Array


class Batch(NamedTuple):
    """Rows of one step; lists are in the order of the tasks.

    masks is None where every label is known; a mask is [rows] or [rows, *positions]. ``counts`` [T] are labelled rows
    per task, float32 on the device; a row with a label at every position counts as its share of labelled positions,
    so that means over batches weighted with counts are means over labelled positions. ``rows`` is the number of rows
    the model sees.
    """

    inputs: Tensor | dict[str, Tensor]
    targets: list[Tensor]
    masks: list[Tensor | None] | None
    counts: Tensor
    rows: int


def labels(batch: Batch) -> Tensor:
    """How many labels each task has in a batch [T]; a row with labels at positions has as many as it has of them."""
    masks = batch.masks or [None] * len(batch.targets)
    return torch.stack(
        [
            batch.counts.new_full((), len(target)) if mask is None else mask.sum(dtype=batch.counts.dtype)
            for target, mask in zip(batch.targets, masks, strict=True)
        ]
    )


class Batches(ABC):
    """The batches of every epoch, pure in (seed, epoch): all methods of a seed see the same rows in order."""

    @abstractmethod
    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number``."""


def training_batches(
    split: Split | Stream, tasks: tuple[str, ...], batch_size: int, seed: int, device: torch.device
) -> Batches:
    """Batches of a training split, restricted to some tasks, in this order of tasks."""
    if isinstance(split, Stream):
        return StreamBatches(split, tasks, batch_size, seed, device)
    if isinstance(split.inputs, Mapping):
        return TaskBatches(split, tasks, batch_size, seed, device)
    return SharedBatches(split, tasks, batch_size, seed, device)


class SharedBatches(Batches):
    """One set of inputs for all tasks: consecutive pieces of a random permutation, the last one smaller.

    A run on fewer tasks drops the rows that carry none of their labels from the same permutation, so that a
    single-task baseline sees its rows in the order in which the multi-task run sees them.
    """

    def __init__(self, split: Split, tasks: tuple[str, ...], batch_size: int, seed: int, device: torch.device) -> None:
        self.batch_size, self.seed, self.device = batch_size, seed, device
        self.size = split.size
        labelled = split.labelled(tasks)  # rows that carry any of their labels; None for all
        self.labelled = None if labelled is None else torch.from_numpy(labelled)
        part = split.only(tasks)
        assert not isinstance(part.inputs, Mapping)
        self.inputs = to_tensor(part.inputs, device)
        self.targets = [to_tensor(part.targets[name], device) for name in tasks]
        self.masks = _Masks(part, tasks, device) if part.masks else None

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number``."""
        order = _permutation(self.size, derive(self.seed, "order", number))
        if self.labelled is not None:
            order = (self.labelled.cumsum(0) - 1)[order[self.labelled[order]]]
        for rows in order.to(self.device).split(self.batch_size) if len(order) else ():
            inputs = self.inputs.index_select(0, rows)
            targets = [target.index_select(0, rows) for target in self.targets]
            if self.masks is None:
                yield Batch(inputs, targets, None, _counts((len(rows),) * len(targets), self.device), len(rows))
            else:
                yield Batch(inputs, targets, *self.masks.take(rows), len(rows))


class TaskBatches(Batches):
    """One set of inputs per task, all of them passed once an epoch.

    The largest set is cut into pieces of ``batch_size`` rows; every other set into as many equal pieces, each of at
    least one row, so that a task with fewer rows than there are steps is cycled.
    """

    def __init__(self, split: Split, tasks: tuple[str, ...], batch_size: int, seed: int, device: torch.device) -> None:
        part = split.only(tasks)
        assert isinstance(part.inputs, Mapping)
        self.seed, self.device, self.steps = seed, device, -(-part.size // batch_size)
        self.inputs = {name: to_tensor(part.inputs[name], device) for name in tasks}
        self.targets = {name: to_tensor(part.targets[name], device) for name in tasks}
        self.masks = {name: to_tensor(mask, device) for name, mask in part.masks.items()}

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number``."""
        pieces = [self._pieces(name, number) for name in self.inputs]
        for rows_of_step in zip(*pieces, strict=True):
            by_task = dict(zip(self.inputs, rows_of_step, strict=True))
            inputs = {name: self.inputs[name].index_select(0, rows) for name, rows in by_task.items()}
            targets = [self.targets[name].index_select(0, rows) for name, rows in by_task.items()]
            masks = {name: mask.index_select(0, by_task[name]) for name, mask in self.masks.items()}
            yield _batch_of_sets(inputs, targets, masks)

    def _pieces(self, name: str, number: int) -> list[Tensor]:
        size = len(self.inputs[name])
        order = _permutation(size, derive(self.seed, "order", number, name)).to(self.device)
        starts = [step * size // self.steps for step in range(self.steps + 1)]
        return [order[low : max(low + 1, high)] for low, high in pairwise(starts)]


class StreamBatches(Batches):
    """A split that is read in batches, which are copied to the device one by one."""

    def __init__(
        self, stream: Stream, tasks: tuple[str, ...], batch_size: int, seed: int, device: torch.device
    ) -> None:
        self.stream, self.tasks, self.batch_size = stream.only(tasks), tasks, batch_size
        self.seed, self.device = seed, device

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number``."""
        for part in self.stream.batches(self.batch_size, derive(self.seed, "order", number)):
            if part.size:
                yield stream_batch(part, self.tasks, self.device)


def stream_batch(part: Split, tasks: tuple[str, ...], device: torch.device) -> Batch:
    """One batch of a stream on the device."""
    targets = [to_tensor(part.targets[name], device) for name in tasks]
    if isinstance(part.inputs, Mapping):
        by_task = {name: to_tensor(part.inputs[name], device) for name in tasks}
        return _batch_of_sets(by_task, targets, {name: to_tensor(part.masks[name], device) for name in part.masks})
    inputs = to_tensor(part.inputs, device)
    if not part.masks:
        return Batch(inputs, targets, None, _counts((len(inputs),) * len(tasks), device), len(inputs))
    return Batch(inputs, targets, *_Masks(part, tasks, device).take(), len(inputs))


def _batch_of_sets(inputs: dict[str, Tensor], targets: list[Tensor], by_task: Mapping[str, Tensor]) -> Batch:
    """A batch with one set of inputs per task, and the masks of some."""
    sizes = tuple(map(len, inputs.values()))
    counts = _counts(sizes, targets[0].device)
    if not by_task:
        return Batch(inputs, targets, None, counts, sum(sizes))
    masks = [by_task.get(name) for name in inputs]
    shares = [size if mask is None else _shares(mask).sum() for mask, size in zip(masks, counts, strict=True)]
    return Batch(inputs, targets, masks, torch.stack(shares), sum(sizes))


class _Masks:
    """The masks of shared rows. Masks of rows stand side by side in one tensor, so that a batch takes them in one pass
    however many tasks there are; masks of positions are taken one by one."""

    def __init__(self, part: Split, tasks: tuple[str, ...], device: torch.device) -> None:
        masks = [part.masks.get(name) for name in tasks]
        everything = np.ones(part.size, dtype=bool)
        of_rows = [everything if mask is None or mask.ndim > 1 else mask for mask in masks]
        self.of_rows = to_tensor(np.stack(of_rows, axis=1), device)
        self.of_positions = {t: to_tensor(m, device) for t, m in enumerate(masks) if m is not None and m.ndim > 1}
        self.masked = [mask is not None for mask in masks]
        self.shares = self.of_rows.float()
        for t, mask in self.of_positions.items():
            self.shares[:, t] = _shares(mask)

    def take(self, rows: Tensor | None = None) -> tuple[list[Tensor | None], Tensor]:
        """Masks and counts of some rows, or of all."""
        of_rows = _taken(self.of_rows, rows)
        masks = [of_rows[:, t] if masked else None for t, masked in enumerate(self.masked)]
        for t, mask in self.of_positions.items():
            masks[t] = _taken(mask, rows)
        return masks, _taken(self.shares, rows).sum(0)


def _taken(values: Tensor, rows: Tensor | None) -> Tensor:
    return values if rows is None else values.index_select(0, rows)


def _shares(mask: Tensor) -> Tensor:
    """The share of labelled positions of each row, float32 [N]."""
    return mask.flatten(1).float().mean(1)


def to_tensor(array: Array, device: torch.device) -> Tensor:
    """The array on the device, without a copy where it can be shared."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)


def _permutation(size: int, seed: int) -> Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


@cache
def _counts(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """A constant of the device, made once for every distinct batch."""
    return torch.tensor(sizes, dtype=torch.float32, device=device)
