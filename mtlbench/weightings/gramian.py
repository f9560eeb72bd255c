"""Directions that avoid harm to any task: gradient surgery, common descent, projections onto the dual cone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import Claim, Shown
from .on_gramian import Leveled, OnGramian
from .solvers import TINY, minimise, rounding, scaled, units

if TYPE_CHECKING:
    from torch import Tensor, device


class MGDA(OnGramian):
    """The shortest convex combination of the task gradients: min ||J^T lambda||, lambda on the simplex (sums to 1).

    J^T lambda is a descent direction of all tasks, or 0 where none exists. Source: Désidéri, Comptes Rendus 2012;
    Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018, equation 3; with ``level:
    representation`` their MGDA-UB, section 3.3. Deviations: solved to rounding error by an interior-point method, where
    the paper takes Frank-Wolfe steps; gradients are not normalised. A task
    without a label in the batch has gradient 0, so that step does not change the shared parameters.
    """

    claims: ClassVar[Claim] = Claim.CONVEX | Claim.HOMOGENEOUS | Claim.UNCONFLICTING

    def weights(self, gramian: Tensor) -> Tensor:
        """The minimiser of lambda^T G lambda on the simplex, found as x_t = lambda_t ||g_t||, of order 1."""
        import torch

        cosines, lengths, _ = units(gramian)
        silent = lengths == 0
        shortest = lengths.where(~silent, torch.inf).amin()
        amounts = (shortest / lengths).where(~silent, 1.0)  # lambda_t = amounts_t x_t
        c = cosines + torch.diag(silent.double())
        x = minimise(lambda x: (x @ c, c), torch.ones_like(amounts) / amounts.sum(), amounts)
        return torch.where(silent.any(), silent / silent.sum().clamp_min(1), amounts * x)


class PCGrad(OnGramian):
    """Gradient surgery: each task's gradient is projected off those it conflicts with, and the results are summed.

    g_t <- g_t - min(g_t . g_u, 0) g_u / ||g_u||^2 for the other tasks u in random order. lambda sums to T without
    conflict, and to more otherwise. Source: Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020,
    Algorithm 1 (whose code takes the mean in some variants; here it is the sum, as in the paper). The orders come from
    torch's global generator, seeded for the stream "step".
    """

    random: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.LINEAR | Claim.STRONG

    def weights(self, gramian: Tensor) -> Tensor:
        """The columns' sums of the T projected gradients' coordinates."""
        import torch

        u = units(gramian)
        tasks = torch.arange(len(gramian), device=gramian.device)
        coordinates = torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
        for other in _orders(gramian):
            surplus = (coordinates * u.cosines[other]).sum(1).clamp(max=0)
            coordinates = coordinates.index_put((tasks, other), -surplus, accumulate=True)
        return u.summed(coordinates)


class GradVac(Leveled):
    """Gradient vaccine: gradients are adjusted towards a target cosine for each pair, not only if they conflict.

    For the other tasks u in random order: where the cosine phi of g_t and g_u is below its moving average psi_tu, g_t
    <- g_t + ||g_t|| (psi sqrt(1 - phi^2) - phi sqrt(1 - psi^2)) / (||g_u|| sqrt(1 - psi^2)) g_u, which makes it psi;
    then psi <- (1 - beta) psi + beta phi. psi starts at 0, so the first step is gradient surgery; lambda sums to at
    least T while psi is 0. Source: Wang et al., Gradient Vaccine, ICLR 2021, equation 2. The orders come from torch's
    global generator, seeded for the stream "step". Deviations: all shared parameters are one group; sqrt(1 - psi^2) is
    taken to be at least 1e-6.
    """

    random: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.LINEAR | Claim.STRONG

    beta: float = Field(
        0.5, ge=0, le=1, description="share of the newest cosine in the moving average; LibMTL's 0.5, the paper's 0.01"
    )

    def start(self, tasks: tuple[str, ...], device: device) -> Tensor:
        """psi = 0 for each ordered pair of tasks."""
        import torch

        return torch.zeros(len(tasks), len(tasks), dtype=torch.float64, device=device)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """The columns' sums of the T adjusted gradients' coordinates, and the moving averages."""
        import torch

        assert shown.gramian is not None
        u = units(shown.gramian)
        tasks = torch.arange(len(state), device=state.device)
        coordinates, targets = torch.eye(len(state), dtype=torch.float64, device=state.device), state.clone()
        for other in _orders(shown.gramian):
            length = (coordinates * (coordinates @ u.cosines)).sum(1).clamp_min(TINY).sqrt()
            cosine = ((coordinates * u.cosines[other]).sum(1) / length).clamp(-1, 1)
            target = targets[tasks, other]
            sine = (1 - target**2).clamp_min(1e-12).sqrt()
            missing = length * (target * (1 - cosine**2).sqrt() - cosine * sine) / sine
            left = length > 1e-6 * coordinates.abs().sum(1)  # what two opposed gradients leave has no direction
            met = left & (u.lengths > 0) & (u.lengths[other] > 0)
            added = missing.where(met & (cosine < target), 0.0)
            coordinates = coordinates.index_put((tasks, other), added, accumulate=True)
            newest = (target + self.beta * (cosine - target)).where(met, target)
            targets = targets.index_put((tasks, other), newest)
        return u.summed(coordinates).to(shown.losses.dtype), targets


class CAGrad(OnGramian):
    """Conflict-averse descent: the direction near the mean gradient g_0 under which the worst task improves most.

    max_d min_t g_t . d within ||d - g_0|| <= c ||g_0||, solved by lambda = 1/T + c ||g_0|| w / ||g_w||, where w on the
    simplex minimises g_w . g_0 + c ||g_0|| ||g_w||, g_w = J^T w. c = 0 is the mean. For c >= 1 no task is hurt wherever
    some direction helps all tasks; where none does, g_w = 0 and the direction is g_0, which may hurt some. Source: Liu
    et al., Conflict-Averse Gradient Descent, NeurIPS 2021, Algorithm 1. The paper's code divides by 1 + c^2 or 1 + c;
    as in the paper and torchjd, this does not. So that rounding never takes d out of the ball, ||g_w|| is taken to be
    at least 1e-5 of sum_t w_t ||g_t|| (1e-3 for three tasks where G is in float32), beyond which its direction is
    noise.
    """

    claims: ClassVar[Claim] = Claim.HOMOGENEOUS | Claim.STRONG

    c: float = Field(0.5, ge=0, description="radius of the ball around the mean gradient; 0 is the mean gradient")

    def weights(self, gramian: Tensor) -> Tensor:
        """1/T + c ||g_0|| w / ||g_w||."""
        import torch

        g = scaled(gramian)
        mean = g.new_full((len(g),), 1 / len(g))
        radius = self.c * (mean @ g @ mean).clamp_min(0).sqrt()

        def derivatives(w: Tensor) -> tuple[Tensor, Tensor]:
            product = g @ w
            length = ((w @ product).clamp_min(0) + 1e-14).sqrt()
            slope = product / length
            # Half of the negative curvature is left out, so that no step overshoots where g_w is nearly 0.
            return g @ mean + radius * slope, radius / length * (g - 0.5 * slope.outer(slope))

        w = minimise(derivatives, mean, torch.ones_like(mean))
        noise = max(1e-5, 2 * rounding(gramian) ** 0.5) * (w @ g.diagonal().clamp_min(0).sqrt())
        return mean + radius * w / torch.maximum((w @ g @ w).clamp_min(0).sqrt(), noise).clamp_min(TINY)


class UPGrad(OnGramian):
    """Unconflicting projection: the mean of the task gradients, each projected onto the cone that hurts no task.

    lambda = (1/T) sum_t v_t, v_t = argmin v^T G v over v >= e_t (entrywise), so lambda sums to 1 without conflict, to
    more otherwise. Source: Quinton and Rey, Jacobian Descent for Multi-Objective Optimization, arXiv 2024, equation 5
    and proposition 1. ``regularization`` is added to the diagonal of the gradients' cosines (in torchjd to that of
    G / trace G), so that small gradients are protected as large ones are.
    """

    claims: ClassVar[Claim] = Claim.LINEAR | Claim.UNCONFLICTING | Claim.STRONG

    regularization: float = Field(1e-4, ge=0, description="added to the diagonal of the gradients' cosines")

    def weights(self, gramian: Tensor) -> Tensor:
        """All T projections at once, of unit gradients: v_t is ||g_t|| times that of u_t."""
        import torch

        u = units(gramian)
        ones = torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
        return u.summed(_projected(u.cosines + self.regularization * ones, ones)) / len(gramian)


class DualProj(OnGramian):
    """The mean gradient, projected onto the cone of directions that hurt no task.

    lambda = argmin v^T G v over v >= 1/T, so it sums to 1 without conflict, to more otherwise. Source: Lopez-Paz and
    Ranzato, Gradient Episodic Memory, NeurIPS 2017, equation 11, with the mean gradient instead of the new task's, as
    in Quinton and Rey 2024. ``regularization`` is added to the diagonal of the gradients' cosines (in torchjd to that
    of G / trace G), so that small gradients are protected as large ones are.
    """

    claims: ClassVar[Claim] = Claim.HOMOGENEOUS | Claim.UNCONFLICTING | Claim.STRONG

    regularization: float = Field(1e-4, ge=0, description="added to the diagonal of the gradients' cosines")

    def weights(self, gramian: Tensor) -> Tensor:
        """One projection, in multiples of unit gradients."""
        import torch

        u = units(gramian)
        ones = torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
        mean = u.lengths / len(gramian)
        found = u.weights(_projected(u.cosines + self.regularization * ones, mean))
        return found.where(u.lengths > 0, 1 / len(gramian))


def _projected(c: Tensor, points: Tensor) -> Tensor:
    """argmin x^T C x over x >= p for every p [..., T]: U^T p projected onto the dual cone of U's rows, C = U U^T."""
    import torch

    pull = points @ c
    beyond = minimise(lambda x: (x @ c + pull, c.expand(*x.shape, len(c))), torch.ones_like(points))
    return points + beyond


def _orders(gramian: Tensor) -> Tensor:
    """Which task each task meets first, second … [T - 1, T]: the others in an order of its own, drawn at random."""
    import torch

    return torch.rand(gramian.shape, device=gramian.device).fill_diagonal_(2.0).argsort(1)[:, :-1].T
