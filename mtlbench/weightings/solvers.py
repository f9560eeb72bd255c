"""Small convex problems in the T task weights, solved on the device of the Gramian.

Everything is a fixed sequence of tensor operations, so that a GPU is never synchronised. On a CPU, where reading a
value is free, iterations stop at convergence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    Derivatives = Callable[[Tensor], tuple[Tensor, Tensor]]  # x [..., T] to gradient [..., T] and Hessian [..., T, T]

TINY = 1e-30  # prevents 0 / 0; far below anything that a float32 Gramian can resolve in these units


def scaled(gramian: Tensor) -> Tensor:
    """G / trace G in float64, so that solvers work on numbers of moderate size; 0 stays 0."""
    exact = gramian.double()
    return exact / exact.diagonal().sum().clamp_min(TINY)


def pseudo_inverse(matrix: Tensor, gramian: Tensor) -> Tensor:
    """The pseudo-inverse of a scaled Gramian, without eigenvalues below the rounding error of the original."""
    import torch

    inverse: Tensor = torch.linalg.pinv(matrix, rtol=rounding(gramian), hermitian=True)
    return inverse


def rounding(gramian: Tensor) -> float:
    """The share of the largest eigenvalue below which eigenvalues are rounding error."""
    import torch

    return len(gramian) * torch.finfo(gramian.dtype).eps


def minimise(derivatives: Derivatives, start: Tensor, simplex: bool, steps: int = 40) -> Tensor:
    """argmin f(x) over x >= 0, and sum x = 1 with ``simplex``; f convex, of order 1. Batched.

    Primal-dual interior-point steps from ``start`` > 0 (sum 1 with ``simplex``): with multipliers z of x >= 0 and nu of
    the sum, Newton on f' - z + nu = 0, x z = mu, sum x = 1, where mu decreases with the gap x . z. Of several
    minimisers it finds the central one, so that tasks in another order get the same weights. Source: Nocedal and
    Wright, Numerical Optimization, 2006, chapters 14 and 19.
    """
    import torch

    x, z, one = start, torch.ones_like(start), torch.ones_like(start)
    for _ in range(steps):
        gradient, hessian = derivatives(x)
        gap = (x * z).mean(-1, keepdim=True)
        newton = hessian + torch.diag_embed(z / x + 1e-13) + (1.0 if simplex else 0.0)  # the sum is fixed: no change
        target = gap * gap.clamp(1e-6, 0.1)  # a decreasing share of the gap: superlinear convergence
        wanted = target / x - gradient  # the target of z, minus the gradient of f
        if simplex:
            along, across = torch.linalg.solve_ex(newton, torch.stack([wanted, one], -1))[0].unbind(-1)
            dx = along - across * (along.sum(-1, keepdim=True) / across.sum(-1, keepdim=True))
        else:
            dx = torch.linalg.solve_ex(newton, wanted.unsqueeze(-1))[0].squeeze(-1)
        dz = target / x - z - z / x * dx
        x = x + _within(x, dx) * dx
        z = z + _within(z, dz) * dz
        if _done(gap + dx.abs()):
            break
    return x


def fair(matrix: Tensor, power: float, steps: int = 40) -> Tensor:
    """The w > 0 with (G w)_t = w_t^-power: the minimiser of w^T G w / 2 minus the sum of the integrals of w^-power.

    Damped Newton steps, globally convergent since that function is convex (and self-concordant for power 1).
    """
    import torch

    w = torch.ones_like(matrix[0])
    for _ in range(steps):
        level = w**-power
        gradient = matrix @ w - level
        dw = -torch.linalg.solve_ex(matrix + torch.diag(power * level / w), gradient)[0]
        decrement = -(gradient @ dw).clamp(max=0)
        if _done(decrement):
            break
        w = w + torch.minimum(1 / (1 + decrement.sqrt()), _within(w, dw)) * dw
    return w


def onto_simplex(y: Tensor) -> Tensor:
    """The nearest point to y [T] with x >= 0 and sum x = 1. Source: Duchi et al., ICML 2008, figure 1."""
    import torch

    y = y - y.amax()  # does not change the nearest point, and keeps large numbers from absorbing the 1
    ordered = y.sort(descending=True).values
    surplus = (ordered.cumsum(0) - 1) / torch.arange(1, len(y) + 1, device=y.device)
    last = (ordered > surplus).sum() - 1
    return (y - surplus[last]).clamp(min=0)


def _within(x: Tensor, dx: Tensor) -> Tensor:
    """The longest step, at most 1, that keeps x + step dx > 0."""
    ratio = (-dx / x).amax(-1, keepdim=True)
    return 1 / (ratio / 0.99).clamp_min(1)


def _done(left: Tensor) -> bool:
    """Whether the iteration has converged; always False on a GPU, which would have to synchronise."""
    return left.device.type == "cpu" and bool((left < 1e-9).all())
