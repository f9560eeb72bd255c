"""Small convex problems in the T task weights in torch, of which the references of ``gramian_weights`` are made.

On a GPU everything is a fixed sequence of tensor operations, so that it is never synchronised. On a CPU, where reading
a value is free, iterations stop at convergence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Derivatives = Callable[[Tensor], tuple[Tensor, Tensor]]  # x [..., T] to gradient [..., T] and Hessian [..., T, T]

TINY = 1e-100  # prevents 0 / 0; far below the square of any float32 gradient
_CONVERGED = 1e-9
_SINGLE = 2.0**-23  # the rounding of float32, in which most gradients are computed


class Units(NamedTuple):
    """A Gramian taken apart, so that a task's part in it does not depend on how long its gradient is.

    g_t = longest * lengths_t * u_t, where u_t is a unit vector, or 0 where the task has no gradient. All in float64.
    """

    cosines: Tensor  # C [T, T], u_t . u_u
    lengths: Tensor  # [T], in units of the longest gradient: 1 at most
    longest: Tensor  # []

    def weights(self, x: Tensor) -> Tensor:
        """lambda [T] with sum_t lambda_t g_t = longest sum_t x_t u_t; 0 for a task without a gradient."""
        return (x / self.lengths).where(self.lengths > 0, 0.0)

    def summed(self, coordinates: Tensor) -> Tensor:
        """lambda [T] of the sum of T gradients that have been changed: task t's is now ||g_t|| sum_u a_tu u_u, where a
        [T, T] are the ``coordinates``.
        """
        ratios = self.lengths[:, None] / self.lengths
        return (ratios.where(self.lengths > 0, 0.0).fill_diagonal_(1.0) * coordinates).sum(0)


def units(gramian: Tensor) -> Units:
    """The cosines and lengths of the gradients whose dot products are G [T, T]."""
    exact = gramian.double()
    sizes = exact.diagonal().clamp_min(0).sqrt()
    outer = sizes.outer(sizes)
    cosines = (exact / outer).where(outer > 0, 0.0)
    longest = sizes.amax()
    return Units(cosines, sizes / longest.clamp_min(TINY), longest)


def scaled(gramian: Tensor) -> Tensor:
    """G / trace G in float64, so that solvers work on numbers of moderate size; 0 stays 0."""
    exact = gramian.double()
    return exact / exact.diagonal().sum().clamp_min(TINY)


def rounding(gramian: Tensor) -> float:
    """The share of the largest eigenvalue below which eigenvalues are rounding error: that of G itself, or of gradients
    in float32, whose rounding is squared in G.
    """
    return max(len(gramian) * torch.finfo(gramian.dtype).eps, (len(gramian) * _SINGLE) ** 2)


def minimise(derivatives: Derivatives, start: Tensor, amounts: Tensor | None = None, patience: int = 3) -> Tensor:
    """argmin f(x) over x >= 0, and a . x = 1 if there are ``amounts`` a > 0; f convex, of order 1. Batched.

    Primal-dual interior-point steps from ``start`` > 0 (with a . x = 1): with multipliers z of x >= 0 and nu of the
    constraint, Newton on f' - z + nu a = 0, x z = mu, where mu decreases with the gap x . z. Of several minimisers it
    finds the central one, so that tasks in another order get the same weights. Source: Nocedal and Wright, Numerical
    Optimization, 2006, chapters 14 and 19.
    """
    x, z = start, torch.ones_like(start)
    progress = _Progress(patience)
    for _ in range(_rounds(start)):
        gradient, hessian = derivatives(x)
        gap = (x * z).mean(-1, keepdim=True)
        newton = hessian + torch.diag_embed(z / x + 1e-13)
        # A decreasing share of the gap: superlinear convergence. Far below rounding it stays, so that nothing vanishes.
        target = (gap * gap.clamp(1e-6, 0.1)).clamp_min(1e-30)
        wanted = target / x - gradient  # the target of z, minus the gradient of f
        if amounts is None:
            dx = torch.linalg.solve_ex(newton, wanted.unsqueeze(-1))[0].squeeze(-1)
        else:
            newton = newton + amounts.outer(amounts)  # a . x is fixed: no change, and better conditioned
            along, across = torch.linalg.solve_ex(newton, torch.stack([wanted, amounts], -1))[0].unbind(-1)
            dx = along - across * ((along @ amounts) / (across @ amounts))
        dz = target / x - z - z / x * dx
        x = x + _within(x, dx) * dx
        z = z + _within(z, dz) * dz
        if progress.ends(gap, dx):
            break
    return x


def fair(matrix: Tensor, levels: Tensor, power: float) -> Tensor:
    """The w > 0 with (C w)_t = k_t w_t^-power, k the ``levels``; C is positive definite, so there is exactly one.

    It minimises w^T C w / 2 minus the sum of the integrals of k_t w_t^-power. Newton steps in s = dw / w, in which the
    Hessian is at least power k_t w_t^(1 - power) on its diagonal however C is conditioned. A step of 1 / (1 + r max
    |s|) with r = max(1, (1 + power) / 2) always lowers the objective.
    """
    # The best multiple of the solution for C = I.
    w = levels ** (1 / (1 + power))
    w = w * ((levels * w ** (1 - power)).sum() / (w @ matrix @ w)) ** (1 / (1 + power))
    before = torch.inf
    for _ in range(_rounds(matrix)):
        pull = levels * w ** (1 - power)
        slope = w * (matrix @ w) - pull
        hessian = w[:, None] * matrix * w + torch.diag(power * pull)
        s = -torch.linalg.solve_ex(hessian, slope)[0]
        w = w * (1 + s / (1 + max(1.0, (1 + power) / 2) * s.abs().amax()))
        size = float(s.abs().amax()) if matrix.device.type == "cpu" else torch.inf  # reading it synchronises a GPU
        # Near the solution the error is squared by each step, unless what is left is rounding.
        if size < _CONVERGED or (size < 1e-4 and size > before / 2):
            break
        before = size
    return w


def _within(x: Tensor, dx: Tensor) -> Tensor:
    """The longest step, at most 1, that keeps x + step dx > 0."""
    ratio = (-dx / x).amax(-1, keepdim=True)
    return 1 / (ratio / 0.99).clamp_min(1)


def _rounds(like: Tensor) -> int:
    """At most: a CPU stops at convergence, usually after 10 to 40; a GPU, which cannot look, takes them all."""
    return 400 if like.device.type == "cpu" else 40


class _Progress:
    """When interior-point steps stop: at convergence, or where the gap is closed and the steps, along directions in
    which f is constant to rounding, have not shrunk for ``patience`` rounds.
    """

    def __init__(self, patience: int) -> None:
        self.patience, self.since, self.shortest = patience, 0, float("inf")

    def ends(self, gap: Tensor, dx: Tensor) -> bool:
        """After a step; always False on a GPU, which would have to synchronise."""
        if dx.device.type != "cpu":
            return False
        if bool((gap + dx.abs() < _CONVERGED).all()):
            return True
        if float(gap.amax()) >= 1e-3 * _CONVERGED:
            return False
        step = float(dx.abs().amax())
        self.since = 0 if step < self.shortest / 2 else self.since + 1
        self.shortest = step if self.since == 0 else self.shortest
        return self.since >= self.patience
