"""Newton's method on an objective that can be re-evaluated: exact by Cholesky, or by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf, isfinite, sqrt
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

_SUFFICIENT = 1e-4  # Armijo's constant
_HALVINGS = 20
_FIRST_SHIFT = 1e-3


class Objective(Protocol):
    """What ``engine.closure`` passes to a step."""

    def value(self) -> Tensor:
        """The objective at the current parameters, with its graph."""


class DampedNewton(Optimizer):
    """theta <- theta + t d with (H + mu I) d = -g and t = lr 2^-k, the first with a sufficient decrease.

    lr       first t that is tried
    damping  mu
    exact    form H (P backward passes for P parameters), else at most ``iterations`` of conjugate gradients
    """

    def __init__(self, params: Iterable[Tensor], lr: float, damping: float, exact: bool, iterations: int) -> None:
        super().__init__(params, {"lr": lr, "damping": damping, "exact": exact, "iterations": iterations})

    @torch.no_grad()
    def step(self, closure: Any) -> Tensor:  # type: ignore[override]
        """One step; returns the objective before it. If no t decreases the objective, parameters do not change."""
        (group,) = self.param_groups
        params: list[Tensor] = group["params"]
        with torch.enable_grad():
            before: Tensor = closure.value()
            flat = _flat(torch.autograd.grad(before, params, create_graph=True, materialize_grads=True))
        gradient = flat.detach()

        def times_hessian(vector: Tensor) -> Tensor:
            if not flat.requires_grad:  # a linear objective
                return torch.zeros_like(vector)
            return _flat(torch.autograd.grad(flat, params, vector, retain_graph=True, materialize_grads=True))

        if group["exact"]:
            direction = _solved(times_hessian, gradient, group["damping"])
        else:
            direction = _conjugate(times_hessian, gradient, group["damping"], group["iterations"])
        _search(closure, params, float(before), float(gradient @ direction), direction, group["lr"])
        return before.detach()


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _solved(times_hessian: Callable[[Tensor], Tensor], gradient: Tensor, damping: float) -> Tensor:
    """-(H + mu I)^-1 g, with mu raised until the matrix is positive definite."""
    identity = torch.eye(len(gradient), dtype=gradient.dtype, device=gradient.device)
    hessian = torch.stack([times_hessian(row) for row in identity])
    hessian = (hessian + hessian.T) / 2
    shift = damping
    while True:
        factor, failed = torch.linalg.cholesky_ex(hessian + shift * identity)
        if not failed:
            return -torch.cholesky_solve(gradient[:, None], factor)[:, 0]
        if not isfinite(shift) or not torch.isfinite(hessian).all():
            return torch.full_like(
                gradient, torch.nan
            )  # the search then finds no step, and the loss shows the divergence
        shift = max(10 * shift, _FIRST_SHIFT)


def _conjugate(times_hessian: Callable[[Tensor], Tensor], gradient: Tensor, damping: float, iterations: int) -> Tensor:
    """An approximate -(H + mu I)^-1 g that is a descent direction."""
    solution, residual = torch.zeros_like(gradient), gradient
    direction, square = -residual, float(residual @ residual)
    enough = min(0.5, square**0.25) * sqrt(square)
    for i in range(iterations):
        if (sqrt(square) <= enough and i > 0) or square == 0:
            break
        along = times_hessian(direction) + damping * direction
        curvature = float(direction @ along)
        if curvature <= 0:
            return -gradient if i == 0 else solution
        length = square / curvature
        solution = solution + length * direction
        residual = residual + length * along
        last, square = square, float(residual @ residual)
        direction = -residual + square / last * direction
    return solution


def _search(
    closure: Objective, params: list[Tensor], before: float, slope: float, direction: Tensor, length: float
) -> None:
    """Backtracking: the first of lr, lr/2, lr/4 … with f(theta + t d) <= f(theta) + c t g'd."""
    start = [param.clone() for param in params]
    pieces = torch.split(direction, [param.numel() for param in params])
    for _ in range(_HALVINGS):
        for param, old, piece in zip(params, start, pieces, strict=True):
            param.copy_(old).add_(piece.view_as(param), alpha=length)
        reached = float(closure.value())
        if reached <= before + _SUFFICIENT * length * slope < inf:
            return
        length /= 2
    for param, old in zip(params, start, strict=True):
        param.copy_(old)
