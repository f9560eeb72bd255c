"""What a model remembers of its forward passes besides its parameters: running statistics of normalisations, say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

Result = TypeVar("Result")


class Buffers:
    """A model's buffers, which one training step updates once, however many forward passes it takes."""

    def __init__(self, model: nn.Module) -> None:
        self.tensors = list(model.buffers())

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Forward passes that leave the buffers as they were."""
        before = self._copies()
        try:
            yield
        finally:
            self._set(before)

    def averaged(self, passes: list[Callable[[], Result]]) -> list[Result]:
        """The results of forward passes on parts of a batch. All start from the same buffers, and the mean of what they
        make of them remains: of running means, that is what one pass on the whole batch leaves, if its parts are equal.
        """
        results, sums = [], [torch.zeros_like(b, dtype=torch.float64) for b in self.tensors]
        for forward in passes:
            with self.kept():
                results.append(forward())
                sums = [total + buffer for total, buffer in zip(sums, self.tensors, strict=True)]
        self._set([total / len(passes) for total in sums])
        return results

    def _copies(self) -> list[Tensor]:
        return [buffer.detach().clone() for buffer in self.tensors]

    def _set(self, values: list[Tensor]) -> None:
        for buffer, value in zip(self.tensors, values, strict=True):
            # Not an edit of its graph: passes that are still to be differentiated keep their own batch's statistics.
            buffer.data.copy_(value)
