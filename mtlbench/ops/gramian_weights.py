"""From Gramians of the task gradients to task weights, by the methods that solve a small problem on them."""

from __future__ import annotations

import torch
from torch import Tensor

from . import backend
from .gramian_reference import METHODS, weights_of

_KERNEL_DTYPES = (torch.float32, torch.float64)
_MOST_TASKS = 256


def gramian_weights(
    gramian: Tensor, method: str, parameter: float = 0.0, draws: Tensor | None = None, targets: Tensor | None = None
) -> Tensor:
    """Task weights lambda [.., T] in float64 from Gramians G [.., T, T], each problem solved to rounding in float64.

    ``method`` is the name of a weighting, whose docstring states its formula and source: mgda, cagrad, upgrad,
    dualproj, pcgrad, gradvac, fairgrad (alpha = 1: nash_mtl), imtl_g, config or aligned_mtl. ``parameter`` is its c,
    regularization, beta or alpha; of aligned_mtl 0, 1 or 2 for the smallest, the median or the mean eigenvalue.
    ``draws`` [.., T, T] in float32, of pcgrad and gradvac: task t meets the others by increasing draw in row t.
    ``targets`` [.., T, T] in float64, of gradvac: target cosines, which are updated in place. How far G can be trusted
    is told by its dtype. A Gramian that is not finite has weights NaN. Not differentiable. Kernels exist for float32
    and float64 Gramians of at most 256 tasks; everything else runs on the torch reference.

    Raises: ValueError for shapes that do not match, an unknown method or a parameter out of range; TypeError for
    dtypes and devices that do not match.
    """
    kernels = None
    if gramian.dtype in _KERNEL_DTYPES and gramian.shape[-1] <= _MOST_TASKS:
        kernels = backend.library(gramian.device)
    form = reference if kernels is None else kernels.gramian_weights
    weights: Tensor = form(gramian, method, parameter, draws, targets)
    return weights


def reference(
    gramian: Tensor, method: str, parameter: float = 0.0, draws: Tensor | None = None, targets: Tensor | None = None
) -> Tensor:
    """The same in torch, problem by problem, with the arguments of the compiled operation."""
    _check(gramian, method, parameter)
    of_problems: list[list[Tensor | None]] = []
    for name, matrix, dtype in (("draws", draws, torch.float32), ("targets", targets, torch.float64)):
        needed = method == "gradvac" or (method == "pcgrad" and name == "draws")
        if needed:
            _check_matrix(matrix, name, gramian, dtype, method)
        of_problems.append([*_problems(matrix)] if needed and matrix is not None else [])
    problems = [*_problems(gramian)]
    all_draws, all_targets = (part or [None] * len(problems) for part in of_problems)
    solved = [
        weights_of(g, method, parameter, draw, target)
        for g, draw, target in zip(problems, all_draws, all_targets, strict=True)
    ]
    if not solved:
        return gramian.new_empty(gramian.shape[:-1], dtype=torch.float64)
    return torch.stack(solved).view(gramian.shape[:-1])


def _problems(matrices: Tensor) -> tuple[Tensor, ...]:
    tasks = matrices.shape[-1]
    return matrices.detach().reshape(-1, tasks, tasks).unbind()


def _check(gramian: Tensor, method: str, parameter: float) -> None:
    if method not in METHODS:
        raise ValueError(f"gramian_weights: expected one of the methods {', '.join(METHODS)}, got {method}")
    if gramian.dim() < 2 or gramian.shape[-1] != gramian.shape[-2] or gramian.shape[-1] == 0:
        raise ValueError(f"gramian_weights: expected gramian of shape [.., T, T], got {[*gramian.shape]}")
    if not gramian.dtype.is_floating_point:
        raise TypeError(f"gramian_weights: expected gramian of a floating-point dtype, got {gramian.dtype}")
    if not (parameter > 0 if method == "fairgrad" else parameter >= 0):
        wanted = "above 0" if method == "fairgrad" else "of at least 0"
        raise ValueError(f"gramian_weights: expected a parameter {wanted}, got {parameter}")


def _check_matrix(matrix: Tensor | None, name: str, gramian: Tensor, dtype: torch.dtype, method: str) -> None:
    if matrix is None:
        raise ValueError(f"gramian_weights: expected {name} for {method}, got none")
    if matrix.shape != gramian.shape:
        raise ValueError(f"gramian_weights: expected {name} of shape {[*gramian.shape]}, got {[*matrix.shape]}")
    if matrix.dtype != dtype or matrix.device != gramian.device:
        raise TypeError(
            f"gramian_weights: expected {name} of dtype {dtype} on {gramian.device}, got {matrix.dtype} "
            f"on {matrix.device}"
        )
    if not matrix.is_contiguous():
        raise ValueError(f"gramian_weights: expected contiguous {name}, got strides {matrix.stride()}")


@backend.register_fake("gramian_weights")
def _fake(
    gramian: Tensor, method: str, parameter: float = 0.0, draws: Tensor | None = None, targets: Tensor | None = None
) -> Tensor:
    return gramian.new_empty(gramian.shape[:-1], dtype=torch.float64)
