"""The whole training step as one recorded CUDA graph: a replay costs one launch instead of one per operation."""

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
_WARM_UP = 3  # steps that run as they are before a form of batch is recorded: lazy state must exist by then
_MOST_FORMS = 8  # forms of batch that are recorded; others run as they are


def graphed(step: Step) -> Step | GraphedStep:
    """The step itself, or the step recorded, as its engine has it."""
    return GraphedStep(step, record_cuda_graph) if step.engine.recipe.wrapper == "graph" else step


def record_cuda_graph(work: Callable[[], tuple[Tensor, Tensor]]) -> tuple[tuple[Tensor, Tensor], Callable[[], None]]:
    """Record the work's kernels in a CUDA graph of its own memory pool."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = work()
    return results, graph.replay


class GraphedStep:
    """Records ``step`` once for every form of batch (shapes, dtypes, which masks) and replays it from then on.

    What a replay reads and writes has fixed addresses: the batch is copied into place, the model, the optimizer's
    states and the weighting's tensors are changed in place, and the learning rate lies on the device. The losses and
    weights returned are overwritten by the next call.

    Weighting, architecture and penalty must be ``recordable``: a plan refuses others for this engine.
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
        kept = _memory(self.step)
        self.step.end_epoch()
        _move(self.step, kept)

    def _aside(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One step as it is, with its state left where recorded steps look for it."""
        kept = _memory(self.step)
        if not batch.counts.is_cuda:
            results = self.step(batch)
        else:  # off the default stream, as CUDA asks of what is recorded later
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                results = self.step(batch)
            torch.cuda.current_stream().wait_stream(side)
        _move(self.step, kept)
        return results


class _Tape:
    """One recorded step with the memory of its batch."""

    def __init__(self, step: Step, batch: Batch, record: Recorder) -> None:
        self.batch = _map(torch.clone, batch)

        def work() -> tuple[Tensor, Tensor]:
            kept = _memory(step)
            results = step(self.batch)
            _move(step, kept)
            return results

        self.results, self.replay = record(work)

    def play(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The step on another batch of the same form."""
        for place, tensor in zip(_tensors(self.batch), _tensors(batch), strict=True):
            place.copy_(tensor, non_blocking=True)
        self.replay()
        return self.results


def _memory(step: Step) -> tuple[Any, Tensor]:
    """What a step keeps for the next one, beside the model and the optimizer."""
    return step.state, step.seen


def _move(step: Step, kept: tuple[Any, Tensor]) -> None:
    """Put the values of the step's present memory where ``kept`` lies, and let the step look there."""
    for old, new in zip(tree_leaves(kept), tree_leaves(_memory(step)), strict=True):
        if old is not new:
            old.copy_(new)
    step.state, step.seen = kept


def _form_of(batch: Batch) -> tuple[Any, ...]:
    names = tuple(batch.inputs) if isinstance(batch.inputs, Mapping) else ()
    masked = tuple(mask is not None for mask in batch.masks) if batch.masks else ()
    return (names, masked, *((tensor.shape, tensor.dtype) for tensor in _tensors(batch)))


def _tensors(batch: Batch) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(batch) if isinstance(leaf, Tensor)]


def _map(function: Callable[[Tensor], Tensor], batch: Batch) -> Batch:
    mapped: Batch = torch.utils._pytree.tree_map_only(Tensor, function, batch)
    return mapped
