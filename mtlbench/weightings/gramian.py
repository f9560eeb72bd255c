"""Directions that avoid harm to any task: gradient surgery, common descent, projections onto the dual cone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .on_gramian import OnGramian
from .solvers import TINY, minimise, scaled

if TYPE_CHECKING:
    from torch import Tensor


class MGDA(OnGramian):
    """The shortest convex combination of the task gradients: min ||J^T lambda||, lambda on the simplex (sums to 1).

    J^T lambda is a descent direction of all tasks, or 0 where none exists. Source: Désidéri, Comptes Rendus 2012;
    Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018, equation 3; with ``level:
    representation`` their MGDA-UB, section 3.3. Deviations: solved to rounding error by an interior-point method, where
    the paper takes Frank-Wolfe steps; gradients are not normalised. A task
    without a label in the batch has gradient 0, so that step does not change the shared parameters.
    """

    def weights(self, gramian: Tensor) -> Tensor:
        """The minimiser of lambda^T G lambda on the simplex."""
        g = scaled(gramian)
        middle = g.new_full((len(g),), 1 / len(g))
        return minimise(lambda x: (x @ g, g), middle, simplex=True)


class PCGrad(OnGramian):
    """Gradient surgery: each task's gradient is projected off those it conflicts with, and the results are summed.

    g_t <- g_t - min(g_t . g_u, 0) g_u / ||g_u||^2 for the other tasks u in random order. lambda sums to T without
    conflict, and to more otherwise. Source: Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020,
    Algorithm 1 (whose code takes the mean in some variants; here it is the sum, as in the paper). The orders come from
    torch's global generator, seeded for the stream "step".
    """

    random: ClassVar[bool] = True

    def weights(self, gramian: Tensor) -> Tensor:
        """The columns' sums of the T projected gradients' coordinates."""
        import torch

        g = scaled(gramian)
        tasks = torch.arange(len(g), device=g.device)
        draws = torch.rand(g.shape, device=g.device).fill_diagonal_(2.0)  # so that no task is projected off itself
        orders = draws.argsort(1)[:, :-1]
        coordinates = torch.eye(len(g), dtype=g.dtype, device=g.device)
        for other in orders.T:
            overlap = (coordinates * g[other]).sum(1)
            surplus = overlap.clamp(max=0) / g[other, other].clamp_min(TINY)
            coordinates = coordinates.index_put((tasks, other), -surplus, accumulate=True)
        return coordinates.sum(0)


class CAGrad(OnGramian):
    """Conflict-averse descent: the direction near the mean gradient g_0 under which the worst task improves most.

    max_d min_t g_t . d within ||d - g_0|| <= c ||g_0||, solved by lambda = 1/T + c ||g_0|| w / ||g_w||, where w on the
    simplex minimises g_w . g_0 + c ||g_0|| ||g_w||, g_w = J^T w. c = 0 is the mean; no task is hurt for c >= 1.
    Source: Liu et al., Conflict-Averse Gradient Descent, NeurIPS 2021, Algorithm 1. The paper's code divides by 1 + c^2
    or 1 + c; as in the paper and torchjd, this does not. ||g_w|| is taken to be at least 1e-7 of J's Frobenius norm.
    """

    c: float = Field(0.5, ge=0, description="radius of the ball around the mean gradient; 0 is the mean gradient")

    def weights(self, gramian: Tensor) -> Tensor:
        """1/T + c ||g_0|| w / ||g_w||."""
        g = scaled(gramian)
        mean = g.new_full((len(g),), 1 / len(g))
        radius = self.c * (mean @ g @ mean).clamp_min(0).sqrt()

        def derivatives(w: Tensor) -> tuple[Tensor, Tensor]:
            product = g @ w
            length = ((w @ product).clamp_min(0) + 1e-14).sqrt()
            slope = product / length
            # Half of the negative curvature is left out, so that no step overshoots where g_w is nearly 0.
            return g @ mean + radius * slope, radius / length * (g - 0.5 * slope.outer(slope))

        w = minimise(derivatives, mean, simplex=True)
        return mean + radius * w / (w @ g @ w).clamp_min(0).sqrt().clamp_min(1e-7)


class UPGrad(OnGramian):
    """Unconflicting projection: the mean of the task gradients, each projected onto the cone that hurts no task.

    lambda = (1/T) sum_t v_t, v_t = argmin v^T G v over v >= e_t (entrywise), so lambda sums to 1 without conflict, to
    more otherwise. Source: Quinton and Rey, Jacobian Descent for Multi-Objective Optimization, arXiv 2024, equation 5
    and proposition 1. As in torchjd, ``regularization`` is added to the diagonal of G / trace G.
    """

    regularization: float = Field(1e-4, ge=0, description="added to the diagonal of G / trace G")

    def weights(self, gramian: Tensor) -> Tensor:
        """All T projections at once."""
        import torch

        g = _regular(gramian, self.regularization)
        return _projected(g, torch.eye(len(g), dtype=g.dtype, device=g.device)).mean(0)


class DualProj(OnGramian):
    """The mean gradient, projected onto the cone of directions that hurt no task.

    lambda = argmin v^T G v over v >= 1/T, so it sums to 1 without conflict, to more otherwise. Source: Lopez-Paz and
    Ranzato, Gradient Episodic Memory, NeurIPS 2017, equation 11, with the mean gradient instead of the new task's, as
    in Quinton and Rey 2024. As in torchjd, ``regularization`` is added to the diagonal of G / trace G.
    """

    regularization: float = Field(1e-4, ge=0, description="added to the diagonal of G / trace G")

    def weights(self, gramian: Tensor) -> Tensor:
        """One projection."""
        g = _regular(gramian, self.regularization)
        return _projected(g, g.new_full((len(g),), 1 / len(g)))


def _regular(gramian: Tensor, amount: float) -> Tensor:
    import torch

    g = scaled(gramian)
    return g + amount * torch.eye(len(g), dtype=g.dtype, device=g.device)


def _projected(g: Tensor, points: Tensor) -> Tensor:
    """argmin v^T G v over v >= u for every u [..., T]: J^T u projected onto the dual cone of J's rows."""
    import torch

    pull = points @ g
    beyond = minimise(lambda x: (x @ g + pull, g.expand(*x.shape, len(g))), torch.ones_like(points), simplex=False)
    return points + beyond
