"""Directions that are fair to all tasks, regardless of the scales of their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from .base import HeadFactor
from .on_gramian import OnGramian
from .solvers import TINY, fair, pseudo_inverse, rounding, scaled

if TYPE_CHECKING:
    from torch import Tensor

_RIDGE = 1e-8  # on the diagonal, so that weights stay finite where the tasks cannot all improve


class NashMTL(OnGramian):
    """The Nash bargaining solution: G lambda = 1 / lambda (entrywise), lambda > 0.

    The direction that maximises sum_t log(g_t . d) in a ball; invariant to the scales of the gradients. lambda^T G
    lambda = T, so the direction always has length sqrt(T): with plain SGD use a schedule. For two tasks
    lambda_t = 1 / (||g_t|| sqrt(1 + cos)). Source: Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022,
    claim 3.1. Deviations: solved to rounding at every step by damped Newton, where the paper's code linearises and
    warm-starts; its clipping of the direction's length is left out. Published heads: weighted, as in the paper's code
    and in LibMTL, which descend sum_t lambda_t L_t.
    """

    published: ClassVar[HeadFactor] = "weighted"

    def weights(self, gramian: Tensor) -> Tensor:
        """The solution for unit gradients, which depends on their angles only, divided by the lengths."""
        import torch

        g = scaled(gramian)
        lengths = g.diagonal().clamp_min(TINY).sqrt()
        cosines = g / lengths.outer(lengths) + _RIDGE * torch.eye(len(g), dtype=g.dtype, device=g.device)
        original = gramian.diagonal().double().clamp_min(TINY).sqrt()
        return fair(cosines, 1.0) / original


class FairGrad(OnGramian):
    """alpha-fair directions: G lambda = lambda^(-1/alpha) (entrywise), lambda > 0.

    alpha = 1 is the Nash bargaining solution; larger alpha favours the task that improves least. Source: Ban and Ji,
    Fair Resource Allocation in Multi-Task Learning, ICML 2024, equation 4. Deviation: damped Newton instead of SciPy's
    least squares. Published heads: weighted, as in LibMTL, which descends sum_t lambda_t L_t.
    """

    published: ClassVar[HeadFactor] = "weighted"

    alpha: float = Field(2.0, gt=0, description="kind of fairness: 1 proportional, 2 and above towards max-min")

    def weights(self, gramian: Tensor) -> Tensor:
        """The solution for G / trace G, rescaled to G."""
        import torch

        g = scaled(gramian) + _RIDGE * torch.eye(len(gramian), dtype=torch.float64, device=gramian.device)
        size = gramian.diagonal().double().sum().clamp_min(TINY)
        return fair(g, 1 / self.alpha) * size ** (-self.alpha / (1 + self.alpha))


class IMTLG(OnGramian):
    """Impartial gradients: the combination with the same projection onto every task's unit gradient; it sums to 1.

    lambda = G^+ d / sum(G^+ d), d_t = ||g_t||. Weights may be negative. Source: Liu et al., Towards Impartial
    Multi-Task Learning, ICLR 2021, equation 2 (IMTL-G), in the form of Quinton and Rey 2024 for dependent gradients; 0
    where the sum vanishes.
    """

    signed: ClassVar[bool] = True

    def weights(self, gramian: Tensor) -> Tensor:
        """By the pseudo-inverse."""
        g = scaled(gramian)
        solution = pseudo_inverse(g, gramian) @ g.diagonal().clamp_min(0).sqrt()
        total = solution.sum()
        return (solution / total).where(total.abs() > 1e-6 * solution.abs().sum().clamp_min(TINY), 0.0)


class AlignedMTL(OnGramian):
    """Independent component alignment: the task gradients made orthogonal and equally long, then averaged.

    lambda = sqrt(s) V diag(1 / sqrt(e)) V^T 1/T with G = V diag(e) V^T over the eigenvalues e above rounding error;
    s is the smallest, median or mean of them. Source: Senushkin et al., Independent Component Alignment, CVPR 2023,
    Algorithm 1.
    """

    signed: ClassVar[bool] = True

    scale: Literal["min", "median", "rmse"] = Field("min", description="which eigenvalue sets the common length")

    def weights(self, gramian: Tensor) -> Tensor:
        """From the eigenvalues of G / trace G; equal weights if all gradients are 0."""
        import torch

        values, vectors = torch.linalg.eigh(scaled(gramian))
        significant = values > values[-1] * rounding(gramian)
        inverse = torch.where(significant, values.clamp_min(TINY).rsqrt(), 0.0)
        lowest = torch.where(significant, values, torch.inf).amin()
        middle = torch.where(significant, values, torch.nan).nanmedian()
        average = values.where(significant, 0.0).sum() / significant.sum().clamp_min(1)
        chosen = {"min": lowest, "median": middle, "rmse": average}[self.scale]
        mean = values.new_full((len(values),), 1 / len(values))
        aligned = chosen.sqrt() * (vectors * inverse) @ (vectors.T @ mean)
        return torch.where(significant.any(), aligned, mean)


class ConFIG(OnGramian):
    """Conflict-free direction: the same cosine with every task's gradient, as long as their projections together.

    With U the unit gradients: u = U^+ 1 / ||U^+ 1||, direction (sum_t g_t . u) u. On the Gramian that is lambda_t =
    length a_t / (||g_t|| sqrt(a^T C a)), a = C^+ 1, C the cosines. Source: Liu et al., ConFIG: Towards Conflict-free
    Training of Physics Informed Neural Networks, ICLR 2025, equations 2 and 3.
    """

    signed: ClassVar[bool] = True

    def weights(self, gramian: Tensor) -> Tensor:
        """By the pseudo-inverse of the cosines."""
        import torch

        g = scaled(gramian)
        lengths = g.diagonal().clamp_min(TINY).sqrt()
        cosines = g / lengths.outer(lengths)
        a = pseudo_inverse(cosines, gramian) @ torch.ones_like(lengths)
        norm = (a @ cosines @ a).clamp_min(TINY).sqrt()
        length = lengths @ (cosines @ a) / norm
        nonzero = g.diagonal() > 0
        return torch.where(nonzero, length * a / (lengths * norm), 0.0)
