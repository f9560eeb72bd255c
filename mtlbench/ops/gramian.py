"""The Gramian of the task gradients: all their norms and dot products in one launch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import backend

_PIECE = 2**16  # numbers of a matrix that are in float64 at one time: half a megabyte, which caches hold
_KERNEL_DTYPES = (torch.float32, torch.float64, torch.bfloat16)


def gramian(gradients: Sequence[Sequence[Tensor | None]]) -> Tensor:
    r"""All dot products of T task gradients over all parameters.

    .. math:: G_{tu} = \sum_i ⟨g_t^i, g_u^i⟩

    ``gradients[t][i]`` is task t's gradient for parameter i, or None, which counts as zero. Returns G [T, T],
    symmetric, float64 for float64 gradients and float32 otherwise. Differentiable: dL/dg_t = sum_u (H + H^T)_tu g_u
    with H = dL/dG. Bitwise reproducible, whatever the number of threads. Kernels exist for float32, float64 and
    bfloat16 gradients of at most 256 tasks; everything else runs on the torch reference.

    Raises: ValueError for lengths or shapes that do not match, TypeError for mixed dtypes or devices.
    """
    tasks = len(gradients)
    tensors = len(gradients[0]) if tasks else 0
    if tasks == 0 or any(len(of_task) != tensors for of_task in gradients):
        raise ValueError(f"gramian: expected as many gradients, or None, for each task, got {[*map(len, gradients)]}")
    present: list[Tensor] = []
    places: list[int] = []
    for t, of_task in enumerate(gradients):
        for i, gradient in enumerate(of_task):
            if gradient is not None:
                present.append(gradient)
                places.append(i * tasks + t)
    if not present:
        return torch.zeros(tasks, tasks)
    first = present[0]
    kernels = backend.library(first.device) if first.dtype in _KERNEL_DTYPES and tasks <= 256 else None
    form = reference if kernels is None else kernels.gramian
    result: Tensor = form(present, places, tensors, tasks)
    return result


def dot_products(first: Tensor, second: Tensor) -> Tensor:
    """J_1 J_2^T [T, U] in float64, for two matrices [T, n] and [U, n] of any dtype.

    The product of two float32 numbers is exact in float64, so that nothing but the sum is rounded: gradients that are
    nearly parallel, or far smaller than others, keep their part of the result. Piece by piece, without a float64 copy
    of a whole matrix; differentiable.
    """
    width = max(1, _PIECE // max(1, len(first), len(second)))
    total = first.new_zeros(len(first), len(second), dtype=torch.float64)
    for part, other in zip(first.split(width, 1), second.split(width, 1), strict=True):
        left = part.double()
        total = total + left @ (left if first is second else other.double()).T
    return (total + total.T) / 2 if first is second else total


def _rows(places: Sequence[int], tensors: int, tasks: int) -> list[list[tuple[int, int]]]:
    """For each tensor, the tasks that have a gradient for it, and the indices of these gradients in the list."""
    rows: list[list[tuple[int, int]]] = [[] for _ in range(tensors)]
    for k, place in enumerate(places):
        rows[place // tasks].append((place % tasks, k))
    return rows


def reference(gradients: Sequence[Tensor], places: Sequence[int], tensors: int, tasks: int) -> Tensor:
    """The same in torch, with the arguments of the compiled operation: place i T + t means task t, parameter i."""
    total = torch.zeros(tasks, tasks, dtype=torch.float64, device=gradients[0].device)
    for row in _rows(places, tensors, tasks):
        if row:
            matrix = torch.stack([gradients[k].reshape(-1).double() for _, k in row])
            tasks_of_row = torch.tensor([t for t, _ in row], device=total.device)
            total = total.index_put((tasks_of_row[:, None], tasks_of_row[None, :]), matrix @ matrix.T, accumulate=True)
    total = (total + total.T) / 2  # a matrix product need not be symmetric in its last bit
    return total.to(torch.promote_types(gradients[0].dtype, torch.float32))


@backend.register_fake("gramian")
def _fake(gradients: Sequence[Tensor], places: Sequence[int], tensors: int, tasks: int) -> Tensor:
    return gradients[0].new_empty((tasks, tasks), dtype=torch.promote_types(gradients[0].dtype, torch.float32))


def _save(ctx: Any, inputs: Any, output: Tensor) -> None:
    gradients, *ctx.layout = inputs
    ctx.save_for_backward(*gradients)


def _backward(ctx: Any, cotangent: Tensor) -> tuple[list[Tensor], None, None, None]:
    gradients = ctx.saved_tensors
    both = cotangent + cotangent.T
    result = list(gradients)
    for row in _rows(*ctx.layout):
        for t, k in row:
            result[k] = sum(both[t, u] * gradients[j] for u, j in row).to(gradients[k].dtype)
    return result, None, None, None


backend.register_autograd("gramian", _backward, _save)
