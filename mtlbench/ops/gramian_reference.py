"""The torch reference of ``gramian_weights``: each method on one Gramian. What each computes, and from which paper,
stands with its weighting in ``mtlbench.weightings``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .gramian_solvers import TINY, fair, minimise, rounding, scaled, units

_RIDGE = 1e-8  # on the diagonal of the cosines, so that weights stay finite where the tasks cannot all improve


def _mgda(gramian: Tensor) -> Tensor:
    """The minimiser of lambda^T G lambda on the simplex, found as x_t = lambda_t ||g_t||, of order 1."""
    cosines, lengths, _ = units(gramian)
    silent = lengths == 0
    shortest = lengths.where(~silent, torch.inf).amin()
    amounts = (shortest / lengths).where(~silent, 1.0)  # lambda_t = amounts_t x_t
    c = cosines + torch.diag(silent.double())
    x = minimise(lambda x: (x @ c, c), torch.ones_like(amounts) / amounts.sum(), amounts)
    return torch.where(silent.any(), silent / silent.sum().clamp_min(1), amounts * x)


def _cagrad(gramian: Tensor, c: float) -> Tensor:
    """1/T + c ||g_0|| w / ||g_w||."""
    g = scaled(gramian)
    mean = g.new_full((len(g),), 1 / len(g))
    radius = c * (mean @ g @ mean).clamp_min(0).sqrt()

    def derivatives(w: Tensor) -> tuple[Tensor, Tensor]:
        product = g @ w
        length = ((w @ product).clamp_min(0) + 1e-14).sqrt()
        slope = product / length
        # Half of the negative curvature is left out, so that no step overshoots where g_w is nearly 0.
        return g @ mean + radius * slope, radius / length * (g - 0.5 * slope.outer(slope))

    w = minimise(derivatives, mean, torch.ones_like(mean), patience=30)
    noise = max(1e-5, 2 * rounding(gramian) ** 0.5) * (w @ g.diagonal().clamp_min(0).sqrt())
    return mean + radius * w / torch.maximum((w @ g @ w).clamp_min(0).sqrt(), noise).clamp_min(TINY)


def _upgrad(gramian: Tensor, regularization: float) -> Tensor:
    """All T projections at once, of unit gradients: v_t is ||g_t|| times that of u_t."""
    u = units(gramian)
    ones = torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
    return u.summed(_projected(u.cosines + regularization * ones, ones)) / len(gramian)


def _dualproj(gramian: Tensor, regularization: float) -> Tensor:
    """One projection, in multiples of unit gradients."""
    u = units(gramian)
    ones = torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
    mean = u.lengths / len(gramian)
    found = u.weights(_projected(u.cosines + regularization * ones, mean))
    return found.where(u.lengths > 0, 1 / len(gramian))


def _projected(c: Tensor, points: Tensor) -> Tensor:
    """argmin x^T C x over x >= p for every p [..., T]: U^T p projected onto the dual cone of U's rows, C = U U^T."""
    pull = points @ c
    beyond = minimise(lambda x: (x @ c + pull, c.expand(*x.shape, len(c))), torch.ones_like(points))
    return points + beyond


def _pcgrad(gramian: Tensor, draws: Tensor) -> Tensor:
    """The columns' sums of the T projected gradients' coordinates."""
    u = units(gramian)
    tasks = torch.arange(len(gramian), device=gramian.device)
    coordinates = torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
    for other in _orders(draws):
        surplus = (coordinates * u.cosines[other]).sum(1).clamp(max=0)
        coordinates = coordinates.index_put((tasks, other), -surplus, accumulate=True)
    return u.summed(coordinates)


def _gradvac(gramian: Tensor, beta: float, draws: Tensor, targets: Tensor) -> Tensor:
    """The columns' sums of the T adjusted gradients' coordinates; the moving averages change in place."""
    u = units(gramian)
    tasks = torch.arange(len(gramian), device=gramian.device)
    coordinates = torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
    for other in _orders(draws):
        length = (coordinates * (coordinates @ u.cosines)).sum(1).clamp_min(TINY).sqrt()
        cosine = ((coordinates * u.cosines[other]).sum(1) / length).clamp(-1, 1)
        target = targets[tasks, other]
        sine = (1 - target**2).clamp_min(1e-12).sqrt()
        missing = length * (target * (1 - cosine**2).sqrt() - cosine * sine) / sine
        left = length > 1e-6 * coordinates.abs().sum(1)  # what two opposed gradients leave has no direction
        met = left & (u.lengths > 0) & (u.lengths[other] > 0)
        added = missing.where(met & (cosine < target), 0.0)
        coordinates = coordinates.index_put((tasks, other), added, accumulate=True)
        targets.index_put_((tasks, other), (target + beta * (cosine - target)).where(met, target))
    return u.summed(coordinates)


def _orders(draws: Tensor) -> Tensor:
    """Which task each task meets first, second … [T - 1, T]: the others by their draw in its row."""
    return draws.clone().fill_diagonal_(torch.inf).argsort(1)[:, :-1].T


def _fairgrad(gramian: Tensor, alpha: float) -> Tensor:
    """The solution x for unit gradients, lambda_t = x_t / ||g_t||: C x = ||g_t||^(1/alpha - 1) x^(-1/alpha)."""
    u = units(gramian)
    levels = u.lengths.where(u.lengths > 0, 1.0) ** (1 / alpha - 1)
    found = fair(_ridged(u.cosines, gramian), levels, 1 / alpha)
    return u.weights(found) * u.longest.clamp_min(TINY) ** (-2 * alpha / (1 + alpha))


def _ridged(cosines: Tensor, gramian: Tensor) -> Tensor:
    """The cosines, made positive definite; a task without a gradient becomes one that affects no other."""
    ridge = torch.full_like(cosines[0], max(_RIDGE, rounding(gramian)))
    return cosines + torch.diag(ridge.where(cosines.diagonal() > 0, 1.0))


def _imtl_g(gramian: Tensor) -> Tensor:
    """By the pseudo-inverse of the cosines."""
    u = units(gramian)
    a = _impartial(u.cosines, gramian)
    solution = u.weights(a)
    total = solution.sum()
    vanishes = total.abs() <= 1e-9 * solution.abs().sum()
    return (solution / total).where(~vanishes, 0.0)


def _config(gramian: Tensor) -> Tensor:
    """By the pseudo-inverse of the cosines."""
    u = units(gramian)
    a = _impartial(u.cosines, gramian)
    norm = (a @ u.cosines @ a).clamp_min(TINY).sqrt()
    length = u.lengths @ (u.cosines @ a) / norm
    return u.weights(length * a / norm)


def _impartial(cosines: Tensor, gramian: Tensor) -> Tensor:
    """a = C^+ 1, without eigenvalues that are rounding error: all u_t . U^T a are 1, or as near to 1 as can be."""
    inverse = torch.linalg.pinv(cosines, rtol=rounding(gramian), hermitian=True)
    a: Tensor = inverse @ (cosines.diagonal() > 0).to(cosines.dtype)
    return a.where(a.abs().amax() >= 1e-9, 0.0)  # of order 1 unless it vanishes


def _aligned_mtl(gramian: Tensor, scale: float) -> Tensor:
    """From the eigenvalues of G / trace G; equal weights if all gradients are 0."""
    values, vectors = torch.linalg.eigh(scaled(gramian))
    significant = values > values[-1] * rounding(gramian)
    inverse = torch.where(significant, values.clamp_min(TINY).rsqrt(), 0.0)
    if scale == 0:
        chosen = torch.where(significant, values, torch.inf).amin()
    elif scale == 1:
        chosen = torch.where(significant, values, torch.nan).nanmedian()
    else:
        chosen = values.where(significant, 0.0).sum() / significant.sum().clamp_min(1)
    mean = values.new_full((len(values),), 1 / len(values))
    aligned = chosen.sqrt() * (vectors * inverse) @ (vectors.T @ mean)
    return torch.where(significant.any(), aligned, mean)


# The methods in the order of csrc/math/gramian_weights.h, by what they take besides G: nothing, a parameter, the random
# draws, or a parameter with draws and targets.
PLAIN: dict[str, Callable[[Tensor], Tensor]] = {"mgda": _mgda, "imtl_g": _imtl_g, "config": _config}
WITH_PARAMETER: dict[str, Callable[[Tensor, float], Tensor]] = {
    "cagrad": _cagrad, "upgrad": _upgrad, "dualproj": _dualproj, "fairgrad": _fairgrad, "aligned_mtl": _aligned_mtl
}  # fmt: skip
METHODS = (*PLAIN, *WITH_PARAMETER, "pcgrad", "gradvac")


def weights_of(gramian: Tensor, method: str, parameter: float, draws: Tensor | None, targets: Tensor | None) -> Tensor:
    """lambda [T] from G [T, T] in any floating-point dtype; a Gramian that is not finite has weights NaN."""
    finite = gramian.isfinite().all()  # eigenvalues of others are errors
    return _by_method(gramian.where(finite, 0.0), method, parameter, draws, targets).where(finite, torch.nan)


def _by_method(gramian: Tensor, method: str, parameter: float, draws: Tensor | None, targets: Tensor | None) -> Tensor:
    if method in PLAIN:
        return PLAIN[method](gramian)
    if method in WITH_PARAMETER:
        return WITH_PARAMETER[method](gramian, parameter)
    assert draws is not None  # checked by gramian_weights
    if method == "pcgrad":
        return _pcgrad(gramian, draws)
    assert targets is not None
    return _gradvac(gramian, parameter, draws, targets)
