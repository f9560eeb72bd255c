"""Directions that avoid harm to any task: gradient surgery, common descent, projections onto the dual cone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import Claim, Shown
from .on_gramian import Leveled, OnGramian, solved

if TYPE_CHECKING:
    from torch import Tensor, device


class MGDA(OnGramian):
    """The shortest convex combination of the task gradients: min ||J^T lambda||, lambda on the simplex (sums to 1).

    J^T lambda is a descent direction of all tasks, or 0 where none exists. Source: Désidéri, Comptes Rendus 2012;
    Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018, equation 3; with ``level:
    representation`` their MGDA-UB, section 3.3. Deviations: solved to rounding error (``ops.gramian_weights``), where
    the paper takes Frank-Wolfe steps; gradients are not normalised. A task without a label in the batch has gradient 0,
    so that step does not change the shared parameters.
    """

    claims: ClassVar[Claim] = Claim.CONVEX | Claim.HOMOGENEOUS | Claim.UNCONFLICTING

    def weights(self, gramian: Tensor) -> Tensor:
        """The central one where several are shortest."""
        return solved(gramian, "mgda")


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
        return solved(gramian, "pcgrad", draws=_draws(gramian))


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
        assert shown.gramian is not None
        targets = state.clone()
        found = solved(shown.gramian, "gradvac", self.beta, _draws(shown.gramian), targets)
        return found.to(shown.losses.dtype), targets


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
        return solved(gramian, "cagrad", self.c)


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
        return solved(gramian, "upgrad", self.regularization)


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
        return solved(gramian, "dualproj", self.regularization)


def _draws(gramian: Tensor) -> Tensor:
    """One random number for each ordered pair of tasks, by which each task meets the others in an order of its own."""
    import torch

    return torch.rand(gramian.shape, device=gramian.device)
