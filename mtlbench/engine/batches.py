"""Training batches: in-memory splits live on the training device and are batched by index; streams move as read."""

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

    masks is None where every label is known; ``counts`` [T] are labelled rows per task, float32 on the device;
    ``rows`` is the number of rows the model sees.
    """

    inputs: Tensor | dict[str, Tensor]
    targets: list[Tensor]
    masks: list[Tensor | None] | None
    counts: Tensor
    rows: int


class Batches(ABC):
    """The batches of every epoch, pure in (seed, epoch): all methods of a seed see the same rows in the same order."""

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
        self.kept = _labelled(split, tasks)
        part = split.only(tasks)
        assert not isinstance(part.inputs, Mapping)
        self.inputs = to_tensor(part.inputs, device)
        self.targets = [to_tensor(part.targets[name], device) for name in tasks]
        self.masked = [name in part.masks for name in tasks]
        self.known = _known(part, tasks, device) if part.masks else None

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number``."""
        order = _permutation(self.size, derive(self.seed, "order", number))
        if self.kept is not None:
            order = (self.kept.cumsum(0) - 1)[order[self.kept[order]]]
        for rows in order.to(self.device).split(self.batch_size) if len(order) else ():
            inputs = self.inputs.index_select(0, rows)
            targets = [target.index_select(0, rows) for target in self.targets]
            if self.known is None:
                yield Batch(inputs, targets, None, _counts((len(rows),) * len(targets), self.device), len(rows))
            else:
                known = self.known.index_select(0, rows)
                masks = [known[:, t] if masked else None for t, masked in enumerate(self.masked)]
                yield Batch(inputs, targets, masks, known.sum(0, dtype=torch.float32), len(rows))


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

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number``."""
        pieces = [self._pieces(name, number) for name in self.inputs]
        for rows_of_step in zip(*pieces, strict=True):
            by_task = dict(zip(self.inputs, rows_of_step, strict=True))
            sizes = tuple(map(len, rows_of_step))
            inputs = {name: self.inputs[name].index_select(0, rows) for name, rows in by_task.items()}
            targets = [self.targets[name].index_select(0, rows) for name, rows in by_task.items()]
            yield Batch(inputs, targets, None, _counts(sizes, self.device), sum(sizes))

    def _pieces(self, name: str, number: int) -> list[Tensor]:
        size = len(self.inputs[name])
        order = _permutation(size, derive(self.seed, "order", number, name)).to(self.device)
        starts = [step * size // self.steps for step in range(self.steps + 1)]
        return [order[low : max(low + 1, high)] for low, high in pairwise(starts)]


class StreamBatches(Batches):
    """A split that comes in batches of its own, moved to the device one by one."""

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
        sizes = tuple(map(len, by_task.values()))
        return Batch(by_task, targets, None, _counts(sizes, device), sum(sizes))
    inputs = to_tensor(part.inputs, device)
    if not part.masks:
        return Batch(inputs, targets, None, _counts((len(inputs),) * len(tasks), device), len(inputs))
    known = _known(part, tasks, device)
    masks = [known[:, t] if name in part.masks else None for t, name in enumerate(tasks)]
    return Batch(inputs, targets, masks, known.sum(0, dtype=torch.float32), len(inputs))


def to_tensor(array: Array, device: torch.device) -> Tensor:
    """The array on the device, without a copy where it can be shared."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)


def _labelled(split: Split, tasks: tuple[str, ...]) -> Tensor | None:
    """Which rows carry a label of at least one task [N]; None if all do."""
    if any(name not in split.masks for name in tasks):
        return None
    return torch.from_numpy(np.any([split.masks[name] for name in tasks], axis=0))


def _known(part: Split, tasks: tuple[str, ...], device: torch.device) -> Tensor:
    """Which labels are known [N, T]."""
    everything = np.ones(part.size, dtype=bool)
    return to_tensor(np.stack([part.masks.get(name, everything) for name in tasks], axis=1), device)


def _permutation(size: int, seed: int) -> Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


@cache
def _counts(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """A constant of the device, made once for every distinct batch."""
    return torch.tensor(sizes, dtype=torch.float32, device=device)
