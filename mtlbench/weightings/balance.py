"""Directions that are fair to all tasks, regardless of the scales of their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from .base import Claim, HeadFactor
from .on_gramian import OnGramian, solved

if TYPE_CHECKING:
    from torch import Tensor


class NashMTL(OnGramian):
    """The Nash bargaining solution: G lambda = 1 / lambda (entrywise), lambda > 0.

    The direction that maximises sum_t log(g_t . d) in a ball; invariant to the scales of the gradients. lambda^T G
    lambda = T, so the direction always has length sqrt(T): with plain SGD use a schedule. For two tasks lambda_t = 1 /
    (||g_t|| sqrt(1 + cos)). Where gradients depend on each other there is still one solution if some direction helps
    all tasks; where none does there is none, and 1e-8 on the diagonal of the cosines (more where G is in float32) picks
    one, the same in every order of the tasks. A task without a gradient has lambda_t = 0. Source: Navon et al.,
    Multi-Task Learning as a Bargaining Game, ICML 2022, claim 3.1. Deviations: solved to rounding at every step by
    damped Newton, where the paper's code linearises and warm-starts; its clipping of the direction's length is left
    out. Published heads: weighted, as in the paper's code and in LibMTL, which descend sum_t lambda_t L_t.
    """

    published: ClassVar[HeadFactor] = "weighted"
    claims: ClassVar[Claim] = Claim.INVARIANT | Claim.COMPATIBLE | Claim.STRONG

    def weights(self, gramian: Tensor) -> Tensor:
        """That of FairGrad with alpha = 1: the solution for unit gradients, divided by the lengths."""
        return solved(gramian, "fairgrad", 1.0)


class FairGrad(OnGramian):
    """alpha-fair directions: G lambda = lambda^(-1/alpha) (entrywise), lambda > 0.

    alpha = 1 is the Nash bargaining solution; larger alpha favours the task that improves least. Where no direction
    helps all tasks there is no solution, and 1e-8 on the diagonal of the cosines (more where G is in float32) picks
    one. A task without a gradient has lambda_t = 0. Source: Ban and Ji, Fair Resource Allocation in Multi-Task
    Learning, ICML 2024, equation 4. Deviation: damped Newton instead of SciPy's least squares; it solves to rounding
    while lengths of gradients differ by a factor of 1e6, but not of 1e24. Published heads: weighted, as in LibMTL,
    which descends sum_t lambda_t L_t.
    """

    published: ClassVar[HeadFactor] = "weighted"
    claims: ClassVar[Claim] = Claim.COMPATIBLE | Claim.STRONG

    alpha: float = Field(2.0, gt=0, description="kind of fairness: 1 proportional, 2 and above towards max-min")

    def weights(self, gramian: Tensor) -> Tensor:
        """The solution x for unit gradients, lambda_t = x_t / ||g_t||: C x = ||g_t||^(1/alpha - 1) x^(-1/alpha)."""
        return solved(gramian, "fairgrad", self.alpha)


class IMTLG(OnGramian):
    """Impartial gradients: the combination with the same projection onto every task's unit gradient; it sums to 1.

    lambda_t = a_t / ||g_t|| over their sum, a = C^+ 1, C the cosines. Weights may be negative, and where their sum
    before the division is, the direction is uphill for every task, as in the paper. Source: Liu et al., Towards
    Impartial Multi-Task Learning, ICLR 2021, equation 2 (IMTL-G). For dependent gradients a is the least-squares
    solution in unit gradients, which no rescaling of a loss changes; torchjd's G^+ d favours large gradients there. 0
    where the sum vanishes, and for a task without a gradient.
    """

    signed: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.HOMOGENEOUS | Claim.INVARIANT

    def weights(self, gramian: Tensor) -> Tensor:
        """By the pseudo-inverse of the cosines."""
        return solved(gramian, "imtl_g")


class AlignedMTL(OnGramian):
    """Independent component alignment: the task gradients made orthogonal and equally long, then averaged.

    lambda = sqrt(s) V diag(1 / sqrt(e)) V^T 1/T with G = V diag(e) V^T over the eigenvalues e above rounding error, at
    least (T 1.2e-7)^2 of the largest (T 1.2e-7 where G is in float32): components that are shorter than T 1.2e-7 of the
    longest are left out. s is the smallest, median or mean of them. Source: Senushkin et al., Independent Component
    Alignment, CVPR 2023, Algorithm 1.
    """

    signed: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.HOMOGENEOUS

    scale: Literal["min", "median", "rmse"] = Field("min", description="which eigenvalue sets the common length")

    def weights(self, gramian: Tensor) -> Tensor:
        """From the eigenvalues of G / trace G; equal weights if all gradients are 0."""
        return solved(gramian, "aligned_mtl", float(("min", "median", "rmse").index(self.scale)))


class ConFIG(OnGramian):
    """Conflict-free direction: the same cosine with every task's gradient, as long as their projections together.

    With U the unit gradients: u = U^+ 1 / ||U^+ 1||, direction (sum_t g_t . u) u. On the Gramian that is lambda_t =
    length a_t / (||g_t|| sqrt(a^T C a)), a = C^+ 1, C the cosines. Source: Liu et al., ConFIG: Towards Conflict-free
    Training of Physics Informed Neural Networks, ICLR 2025, equations 2 and 3.
    """

    signed: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.LINEAR | Claim.INVARIANT | Claim.COMPATIBLE

    def weights(self, gramian: Tensor) -> Tensor:
        """By the pseudo-inverse of the cosines."""
        return solved(gramian, "config")
