"""One training step divided among several processes.

A step of W processes ("ranks") is the step of one process on the whole batch. Every rank has the same parameters and
draws the same batch; rank r runs rows r n/W to (r + 1) n/W of each set of n rows. With n_t^r labels of task t among
them and N_t in the batch, its share of the task's loss is s_t^r = n_t^r / N_t times the mean over its own labels, so
that

    L_t = sum_r s_t^r L_t^r    and    grad L_t = sum_r s_t^r grad L_t^r,

whatever labels are missing where. Losses, gradients of every parameter, task gradients and Gramians are sums over
ranks, taken before the weighting sees them; weighting, penalty and update then run alike in every rank. Loss curves of
every W therefore agree up to the rounding of sums in another order, except under dropout, which draws from a stream
of each rank's own.

torch's DistributedDataParallel is not used: it averages ``.grad`` over ranks as backward passes fill it, which is
another loss wherever ranks have unequal numbers of labels, and does not see the T gradients of ``autograd.grad`` that
weightings are computed from. The sums here follow the backward pass instead of overlapping with it.

Shape suffixes: T tasks, P parameters.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..core.errors import MtlbenchError, UnavailableError
from .batches import Batch, labels

_PATIENCE = timedelta(days=1)  # who hangs is ended by the process that watches, which knows the trial's timeout

Result = TypeVar("Result")
Row = list[Tensor | None]  # gradients, tensor by tensor; None where there is none


class PeerLostError(MtlbenchError):
    """Another rank has ended, so that nothing can be summed any more."""


class World:
    """The ranks of one trial, of which this process is one; with ``size`` 1, nothing is divided and nothing is summed.

    seed    of what this rank alone draws: its dropout
    store   the file by which the ranks find each other
    filled  which sets of the part that was last taken consist of a row that is not this rank's own, see ``part``
    """

    def __init__(self, rank: int = 0, size: int = 1, seed: int = 0, store: str = "") -> None:
        self.rank, self.size, self.store = rank, size, store
        self.filled: list[bool] = []
        self._seed, self._draws = seed, list[Tensor]()  # the states of this rank's own generators, once it has drawn

    @contextmanager
    def joined(self, device: str) -> Iterator[None]:
        """All ranks as one group: by gloo on CPUs, by nccl on GPUs, rank r on the visible GPU ``LOCAL_RANK``.

        Raises UnavailableError where there is no such GPU.
        """
        if self.size == 1:
            yield
            return
        if device == "cuda":
            local, found = int(os.environ.get("LOCAL_RANK", self.rank)), torch.cuda.device_count()
            if local >= found:
                raise UnavailableError(f"expected {self.size} CUDA GPUs on one node, got {found}: lower resources.gpus")
            torch.cuda.set_device(local)
        backend = "nccl" if device == "cuda" else "gloo"
        dist.init_process_group(backend, f"file://{self.store}", _PATIENCE, self.size, self.rank)
        yield
        dist.destroy_process_group()  # not after an error, when others may no longer answer

    def part(self, batch: Batch) -> tuple[Batch, Tensor | None]:
        """This rank's rows, and its share s [T] of every task's loss on the batch; None where it has all of them.

        No module is given zero rows, which not all of them take: a rank without any of a set runs one row, with share
        0. ``counts`` and ``rows`` remain those of the whole batch.
        """
        if self.size == 1:
            return batch, None
        shared = not isinstance(batch.inputs, dict)
        sizes = [len(batch.inputs)] * len(batch.targets) if shared else [len(x) for x in batch.inputs.values()]
        cuts = [self._rows(size) for size in sizes]
        self.filled = [self._empty(size) for size in sizes]
        masks = batch.masks and [
            None if mask is None else mask[cut] for mask, cut in zip(batch.masks, cuts, strict=True)
        ]
        part = batch._replace(
            inputs=_cut(batch.inputs, cuts),
            targets=[target[cut] for target, cut in zip(batch.targets, cuts, strict=True)],
            masks=masks,
        )
        own = labels(part)
        if any(self.filled):
            own = own * own.new_tensor([not filled for filled in self.filled])
        return part, own / labels(batch).clamp(min=1)

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over ranks."""
        if self.size == 1:
            return values
        values = values.clone(memory_format=torch.contiguous_format)
        reduce_(values)
        return values

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace ``.grad`` by its sum over ranks; a parameter that no loss reached keeps none."""
        if self.size == 1:
            return
        learned = [p for p in parameters if p.requires_grad]
        for parameter, total in zip(learned, _summed([p.grad for p in learned], learned), strict=True):
            if parameter.grad is not None and total is not None:
                parameter.grad.copy_(total)

    def sum_rows(self, rows: list[Row], like: Sequence[Tensor]) -> list[Row]:
        """The sums over ranks of task gradients [t][i] of the tensors ``like``."""
        if self.size == 1:
            return rows
        flat = _summed([g for row in rows for g in row], [*like] * len(rows))
        return [flat[t * len(like) : (t + 1) * len(like)] for t in range(len(rows))]

    def drawing(self, function: Callable[..., Result]) -> Callable[..., Result]:
        """The function with this rank's own random numbers. The common ones then remain equal in all ranks, whatever
        number of them each rank's rows take.
        """
        if self.size == 1:
            return function

        def drawn(*args: Any) -> Result:
            with self._own_draws():
                return function(*args)

        return drawn

    def first(self, value: float) -> float:
        """The first rank's value, so that all take the same decision even if a last digit differs."""
        if self.size == 1:
            return value
        told = torch.tensor([value if self.rank == 0 else 0.0], dtype=torch.float64, device=_device())
        reduce_(told)
        return float(told)

    def largest(self, value: float) -> float:
        """The largest value of all ranks."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=_device())
        reduce_(told, dist.ReduceOp.MAX)
        return float(told)

    def check_equal(self, model: nn.Module, when: str) -> None:
        """Raises MtlbenchError where parameters or buffers are not the same in all ranks, which nothing here makes
        them, but a module or a weighting with state or randomness of its own may.
        """
        if self.size == 1:
            return
        sums = {name: value.detach().double().nan_to_num().sum() for name, value in model.state_dict().items()}
        low, high = (torch.stack([*sums.values()]) for _ in range(2))
        reduce_(low, dist.ReduceOp.MIN)
        reduce_(high, dist.ReduceOp.MAX)
        differing = [name for name, same in zip(sums, (low == high).tolist(), strict=True) if not same]
        if differing:
            raise MtlbenchError(
                f"expected equal parameters and buffers in all {self.size} processes {when}, got others in "
                f"{', '.join(differing[:3])}: a module or a weighting that keeps or draws something by itself cannot "
                "be divided; set resources.workers or gpus to 1"
            )

    def _rows(self, size: int) -> slice:
        low, high = (self.rank + i for i in (0, 1))
        first = low * size // self.size
        return slice(first, max(first + 1, high * size // self.size))

    def _empty(self, size: int) -> bool:
        return self.rank * size // self.size == (self.rank + 1) * size // self.size

    @contextmanager
    def _own_draws(self) -> Iterator[None]:
        common, devices = _states(), dict.fromkeys([torch.device("cpu"), _device()])
        _set_states(self._draws or [torch.Generator(one).manual_seed(self._seed).get_state() for one in devices])
        try:
            yield
        finally:
            self._draws = _states()
            _set_states(common)


def reduce_(values: Tensor, operation: Any = dist.ReduceOp.SUM) -> None:
    """Combine a tensor over ranks, in place. Raises PeerLostError."""
    try:
        dist.all_reduce(values, operation)
    except RuntimeError as error:
        raise PeerLostError(f"another process of the trial is gone: {str(error).strip().splitlines()[0]}") from error


def _summed(tensors: Row, like: Sequence[Tensor]) -> Row:
    """Sums over ranks, in one call for each dtype. All ranks lay out the same memory, zeros for what they lack."""
    sums: Row = [None] * len(tensors)
    groups: dict[torch.dtype, list[int]] = defaultdict(list)
    for i, tensor in enumerate(like):
        groups[tensor.dtype].append(i)
    for group in groups.values():
        flat = torch.cat([_or_zeros(tensors[i], like[i]).reshape(-1) for i in group])
        reduce_(flat)
        for i, piece in zip(group, flat.split([like[i].numel() for i in group]), strict=True):
            sums[i] = None if tensors[i] is None else piece.view_as(like[i])
    return sums


def _or_zeros(tensor: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if tensor is None else tensor


def _cut(inputs: Tensor | dict[str, Tensor], cuts: list[slice]) -> Tensor | dict[str, Tensor]:
    if isinstance(inputs, dict):
        return {name: rows[cut] for (name, rows), cut in zip(inputs.items(), cuts, strict=True)}
    return inputs[cuts[0]]


def _device() -> torch.device:
    """Where this rank's group sums."""
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")


def _states() -> list[Tensor]:
    """The states of the default generators: the CPU's and, where ranks train on GPUs, this rank's GPU's."""
    on_gpu = _device().type == "cuda"
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if on_gpu else [])]


def _set_states(states: Sequence[Tensor]) -> None:
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state)
