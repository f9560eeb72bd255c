"""The whole training step as one CUDA graph: a replay costs one launch instead of one per operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from .batches import Batch
from .step import Step

# (work) -> (what work returned, replay). Recording runs nothing; a replay does the work on the same memory again.
Recorder = Callable[[Callable[[], tuple[Tensor, Tensor]]], tuple[tuple[Tensor, Tensor], Callable[[], None]]]
_WARM_UP = 3  # unrecorded steps before a form of batch is recorded, so that lazily created state exists
_MOST_FORMS = 8  # forms of batch that are recorded; further ones run unrecorded


def graphed(step: Step) -> Step | GraphedStep:
    """The step itself, or a recorded version if its engine uses CUDA graphs."""
    return GraphedStep(step, record_cuda_graph) if step.engine.recipe.wrapper == "graph" else step


def record_cuda_graph(work: Callable[[], tuple[Tensor, Tensor]]) -> tuple[tuple[Tensor, Tensor], Callable[[], None]]:
    """Record the work's kernels in a CUDA graph with a private memory pool."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = work()
    return results, graph.replay


class GraphedStep:
    """Records ``step`` once for every form of batch (shapes, dtypes, which masks) and replays it from then on.

    What a replay reads and writes has fixed addresses: the batch is copied into place, the model, the optimizer's
    states and the weighting's tensors are changed in place, and the learning rate is on the device. The losses and
    weights returned are overwritten by the next call.

    Weighting, architecture and penalty must be ``recordable``: plans reject others for this engine.
    """

    def __init__(self, step: Step, record: Recorder) -> None:
        self.step, self.record = step, record
        self.met: Counter[Any] = Counter()
        self.tapes: dict[Any, _Tape] = {}
        for group in step.optimizer.param_groups:
            group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=step.seen.device)

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Task losses [T] before the update and weights [T], until the next call."""
        form = _form_of(batch)
        tape = self.tapes.get(form)
        if tape is None:
            self.met[form] += 1
            if self.met[form] <= _WARM_UP or len(self.tapes) == _MOST_FORMS:
                return self._aside(batch)
            tape = self.tapes[form] = _Tape(self.step, batch, self.record)
        return tape.play(batch)

    def end_epoch(self) -> None:
        """Tell the weighting that an epoch is over; what it changes, it changes in place."""
        memory = _memory(self.step)
        self.step.end_epoch()
        _move(self.step, memory)

    def _aside(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One unrecorded step, with its state left at the addresses that recorded steps use."""
        memory = _memory(self.step)
        if not batch.counts.is_cuda:
            results = self.step(batch)
        else:  # off the default stream, as CUDA requires of work that is recorded later
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                results = self.step(batch)
            torch.cuda.current_stream().wait_stream(side)
        _move(self.step, memory)
        return results


class _Tape:
    """One recorded step with the memory of its batch."""

    def __init__(self, step: Step, batch: Batch, record: Recorder) -> None:
        self.batch = _map(torch.clone, batch)

        def work() -> tuple[Tensor, Tensor]:
            memory = _memory(step)
            results = step(self.batch)
            _move(step, memory)
            return results

        self.results, self.replay = record(work)

    def play(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The step on another batch of the same form."""
        for place, tensor in zip(_tensors(self.batch), _tensors(batch), strict=True):
            place.copy_(tensor, non_blocking=True)
        self.replay()
        return self.results


def _memory(step: Step) -> tuple[Any, Tensor]:
    """What a step passes to the next one, besides the model and the optimizer."""
    return step.state, step.seen


def _move(step: Step, memory: tuple[Any, Tensor]) -> None:
    """Copy the values of the step's present memory into ``memory``, and make the step use that."""
    for old, new in zip(tree_leaves(memory), tree_leaves(_memory(step)), strict=True):
        if old is not new:
            old.copy_(new)
    step.state, step.seen = memory


def _form_of(batch: Batch) -> tuple[Any, ...]:
    names = tuple(batch.inputs) if isinstance(batch.inputs, Mapping) else ()
    masked = tuple(mask is not None for mask in batch.masks) if batch.masks else ()
    return (names, masked, *((tensor.shape, tensor.dtype) for tensor in _tensors(batch)))


def _tensors(batch: Batch) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(batch) if isinstance(leaf, Tensor)]


def _map(function: Callable[[Tensor], Tensor], batch: Batch) -> Batch:
    mapped: Batch = torch.utils._pytree.tree_map_only(Tensor, function, batch)
    return mapped
