"""What the steps of an epoch gave, kept on the device until its end."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 256  # steps that are kept before they are summed up


class Epoch(NamedTuple):
    """Means over an epoch, and the first of its steps, from 1, in which a value was not finite; 0 for none. A list has
    one entry per task.
    """

    losses: list[float]  # over the labels
    weights: list[float]  # over the steps
    lossless: list[int]  # the first step whose loss was not finite
    weightless: list[int]  # the first step whose weight was not finite


class Trace:
    """Losses, label counts and weights [CHUNK, 3, T], summed up when they are full. No value leaves the device before
    ``end``, and a step costs three copies.
    """

    def __init__(self, tasks: int, device: torch.device) -> None:
        self.rows = torch.zeros(CHUNK, 3, tasks, device=device)
        self.slots = [row.unbind() for row in self.rows]
        self._clear()

    def add(self, losses: Tensor, counts: Tensor, weights: Tensor) -> None:
        """One step."""
        if self.filled == CHUNK:
            self._sum_up()
        for slot, values in zip(self.slots[self.filled], (losses, counts, weights), strict=True):
            slot.copy_(values)
        self.filled += 1

    def end(self) -> Epoch:
        """The epoch's means and first faults; the next step opens another epoch."""
        self._sum_up()
        losses, counts, weights = self.sums
        means = torch.stack([losses / counts.clamp(min=1), weights / self.steps, *self.faults.double()]).tolist()
        self._clear()
        return Epoch(means[0], means[1], [int(step) for step in means[2]], [int(step) for step in means[3]])

    def _clear(self) -> None:
        self.filled = self.steps = 0
        self.sums = torch.zeros_like(self.rows[0], dtype=torch.float64)
        self.faults = torch.zeros_like(self.rows[0, :2], dtype=torch.int64)

    def _sum_up(self) -> None:
        losses, counts, weights = self.rows[: self.filled].double().unbind(1)
        self.sums += torch.stack([(losses * counts).sum(0), counts.sum(0), weights.sum(0)])
        wrong = ~torch.stack([losses, weights]).isfinite()  # [2, steps, T]
        first = torch.where(wrong.any(1), wrong.int().argmax(1) + self.steps + 1, 0)
        self.faults = self.faults.where(self.faults > 0, first)
        self.steps, self.filled = self.steps + self.filled, 0
