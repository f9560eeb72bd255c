"""Weights that adapt during training: GradNorm, DB-MTL, MoCo, Auto-Lambda, ExcessMTL, and smoothed weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from ..core.registry import Inner
from .base import FLOOR, Claim, HeadFactor, Need, Shown, Weighting
from .on_gramian import Leveled, OnGramian
from .solvers import onto_simplex

if TYPE_CHECKING:
    from torch import Tensor, device

LARGEST = 1e30  # what a quotient is bounded by, so that sums of them stay finite in float32


class GradNormState(NamedTuple):
    """Weights for the next step, and each task's first loss, NaN until it has had one."""

    weights: Tensor
    first: Tensor


class GradNorm(Leveled):
    """Gradient normalisation: tasks that learn more slowly than the others get longer weighted gradients.

    lambda descends sum_t |lambda_t ||g_t|| - m r_t^alpha|, where m is the mean of lambda_t ||g_t|| and r_t the task's
    L_t / L_t(0) over the mean of those; then it is rescaled to sum to T. Source: Chen et al., GradNorm, ICML 2018,
    equations 1 and 2, Algorithm 1. Published heads: weighted, since the whole network descends sum_t lambda_t L_t there
    (LibMTL's are unweighted). Deviations: plain steps on lambda instead of Adam's, with the slope divided by
    mean ||g_t||, so that lr has no unit, and lambda clamped to at least 0.01; L_t(0) is the loss on the first batch in
    which the task has a gradient; gradients are with respect to all shared parameters, in the paper the last shared
    layer's.
    """

    needs: ClassVar[Need] = Need.LOSSES | Need.GRAMIAN
    published: ClassVar[HeadFactor] = "weighted"
    claims: ClassVar[Claim] = Claim.HOMOGENEOUS

    alpha: float = Field(
        1.5, ge=0, description="how strongly slow tasks are favoured; the paper's 1.5 for unlike tasks"
    )
    lr: float = Field(0.025, gt=0, description="learning rate of lambda; the paper's is 0.025")

    def start(self, tasks: tuple[str, ...], device: device) -> GradNormState:
        """Ones."""
        import torch

        ones = torch.ones(len(tasks), device=device)
        return GradNormState(ones, ones * torch.nan)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """The weights so far, and their next values."""
        from ..ops.gramian_solvers import TINY

        assert shown.gramian is not None
        lengths = shown.gramian.diagonal().double().clamp_min(0).sqrt()
        first = shown.losses.where(state.first.isnan() & (lengths > 0), state.first)
        ratios = (shown.losses / first).where(first > 0, 1.0)
        pace = (ratios / ratios.mean().clamp_min(1e-12)).clamp_min(0) ** self.alpha
        weighted = state.weights * lengths
        slope = lengths * (weighted - weighted.mean() * pace).sign()
        moved = (state.weights - self.lr * slope / lengths.mean().clamp_min(TINY)).clamp_min(0.01)
        moved = (moved * len(moved) / moved.sum()).to(state.weights.dtype)
        return state.weights, GradNormState(moved, first)


class DBMTLState(NamedTuple):
    """Moving averages of the gradients of the log losses [T, n], and the number of steps."""

    tracked: Tensor | None
    steps: int


class DBMTL(Weighting):
    """Dual balancing: gradients of the log losses, averaged over steps and all rescaled to the length of the longest.

    d = max_u ||y_u|| sum_t y_t / ||y_t||, y_t a moving average of grad log L_t; lambda_t = max_u ||y_u|| / ||y_t|| is
    the factor of y_t. Source: Lin et al., Dual-Balancing for Multi-Task Learning, arXiv 2023, equations 1 and 2,
    Algorithm 1; beta / steps^decay is among the forgetting rates that the paper tries (decay 0: a constant one).
    Published heads: grad log L_t, unweighted, as in LibMTL, which the authors maintain. Deviation: y starts at the
    first gradient instead of 0. Expects positive losses; those at or below 0 count as 1e-20, and the components of
    grad log L_t are at most 1e30. Stores T gradients as state. No ``level``: averages over steps need the same
    coordinates at every step, but those of the representation depend on each batch's rows.
    """

    needs: ClassVar[Need] = Need.LOSSES | Need.JACOBIAN
    published: ClassVar[HeadFactor] = "logarithm"
    claims: ClassVar[Claim] = Claim.HOMOGENEOUS

    beta: float = Field(0.9, ge=0, lt=1, description="share of the old average at the first step")
    decay: float = Field(0.5, ge=0, description="power of the number of steps that beta is divided by")

    def start(self, tasks: tuple[str, ...], device: device) -> DBMTLState:
        """No average yet."""
        return DBMTLState(None, 0)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """The length of the longest average over that of each."""
        import torch

        assert shown.jacobian is not None
        gradients = (shown.jacobian / shown.losses.clamp_min(FLOOR).unsqueeze(1)).clamp(-LARGEST, LARGEST)
        share = self.beta / (state.steps + 1) ** self.decay if state.steps else 0.0
        tracked = gradients if state.tracked is None else share * state.tracked + (1 - share) * gradients
        lengths = torch.linalg.vector_norm(tracked, dim=1, dtype=torch.float64)
        weights = (lengths.amax() / lengths).where(lengths > 0, 0.0).to(tracked.dtype)
        return weights, DBMTLState(tracked, state.steps + 1)

    def combine(self, jacobian: Tensor, weights: Tensor, state: Any) -> Tensor:
        """The weighted sum of the averages."""
        direction: Tensor = weights @ state.tracked
        return direction


class MoCoState(NamedTuple):
    """lambda, and the tracked gradients [T, n]."""

    weights: Tensor
    tracked: Tensor | None


class MoCo(Weighting):
    """Stochastic multi-gradient correction: tracked gradients, and lambda updated with them on the simplex.

    Y <- Y - beta (Y - J);  lambda <- projection onto the simplex of lambda - gamma (Y Y^T + rho I) lambda;  the step
    descends Y^T lambda. lambda starts at 1/T and sums to 1. Source: Fernando et al., Mitigating Gradient Bias in
    Multi-objective Learning, ICLR 2023 (MoCo), with constant step sizes and Y starting at the first J instead of
    0. LibMTL, following the authors' code, differs: gradients scaled to the size of their loss, a softmax instead of
    the projection, decreasing step sizes. Stores T gradients as state. No ``level``: tracking needs the same
    coordinates at every step, but those of the representation depend on each batch's rows.
    """

    needs: ClassVar[Need] = Need.JACOBIAN
    published: ClassVar[HeadFactor] = "unweighted"
    claims: ClassVar[Claim] = Claim.CONVEX

    beta: float = Field(0.5, gt=0, le=1, description="how fast gradients are tracked; with 1, nothing is averaged")
    gamma: float = Field(0.1, gt=0, description="learning rate of lambda")
    rho: float = Field(0.0, ge=0, description="pull towards equal weights")

    def start(self, tasks: tuple[str, ...], device: device) -> MoCoState:
        """Equal weights."""
        import torch

        return MoCoState(torch.full((len(tasks),), 1 / len(tasks), device=device), None)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """One step of lambda."""
        from ..ops.gramian import dot_products

        assert shown.jacobian is not None
        old = shown.jacobian if state.tracked is None else state.tracked
        tracked = old - self.beta * (old - shown.jacobian)
        slope = dot_products(tracked, tracked) @ state.weights.double() + self.rho * state.weights
        weights = onto_simplex(state.weights - self.gamma * slope).to(tracked.dtype)
        return weights, MoCoState(weights, tracked)

    def combine(self, jacobian: Tensor, weights: Tensor, state: Any) -> Tensor:
        """The weighted sum of the tracked gradients."""
        direction: Tensor = weights @ state.tracked
        return direction


class AutoLambda(Weighting):
    """Auto-lambda: weights such that a step on one part of the data lowers all losses on another part.

    lambda descends sum_u L_u^validation(theta - lr sum_t lambda_t grad L_t), whose slope in lambda_t is -lr g_t .
    grad sum_u L_u^validation; Adam updates lambda from ``initial``. Source: Liu et al., Auto-Lambda, TMLR 2022, all
    tasks being primary; ``initial`` and ``lr`` as in the authors' code for pixel tasks. Deviations: the two parts are
    the halves of the training batch, and the step then uses both, where the paper draws a validation batch; the slope
    is taken at theta instead of after a lookahead step, so that no second pass is needed; lambda is clamped to at least
    0. Published heads: weighted, as in the authors' code. No ``level``: the halves' gradients need the same
    coordinates, but the representations of the halves are of different rows.
    """

    needs: ClassVar[Need] = Need.CROSSED

    initial: float = Field(0.1, gt=0, description="first lambda of every task")
    lr: float = Field(1e-4, gt=0, description="Adam's learning rate for lambda")

    def start(self, tasks: tuple[str, ...], device: device) -> Any:
        """lambda and its optimizer."""
        import torch

        weights = torch.full((len(tasks),), self.initial, dtype=torch.float64, device=device).requires_grad_()
        return weights, torch.optim.Adam([weights], lr=self.lr)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """lambda after a step along the gradients' agreement with those of the other half."""
        assert shown.crossed is not None
        weights, optimizer = state
        weights.grad = -shown.crossed.double().sum(1)
        optimizer.step()
        weights.detach().clamp_(min=0)
        return weights.detach().to(shown.losses.dtype, copy=True), state


class ExcessMTLState(NamedTuple):
    """log lambda [T], the roots of the summed squared gradients [T, n], the first excess risks [T], and the steps."""

    logarithms: Tensor
    roots: Tensor | None
    first: Tensor
    steps: int


class ExcessMTL(Weighting):
    """Excess risks: exponentiated gradient steps in favour of the tasks that are farthest from their optimum.

    lambda_t <- lambda_t exp(step E_t), normalised to sum 1; E_t = g_t^T H_t^-1 g_t with H_t the root of the summed
    squared gradients, divided by its first value. Source: He et al., Robust Multi-Task Learning with Excess Risks, ICML
    2024, equations 6, 7 and 9; ``step`` and ``warmup`` as in the authors' code (the paper takes the first value from
    three epochs). Deviations: lambda sums to 1, as in the paper, and in the code to T; no 1e-7 is added under the root;
    E_t is at most 1e30. Holds T gradients as state. No ``level``: H_t needs the same coordinates at every step, and
    those of the representation are of each batch's rows. Published heads: weighted, as in LibMTL, whose code the
    authors' builds on.
    """

    needs: ClassVar[Need] = Need.JACOBIAN
    claims: ClassVar[Claim] = Claim.CONVEX | Claim.HOMOGENEOUS

    step: float = Field(0.01, gt=0, description="size of the exponentiated step")
    warmup: int = Field(
        1, ge=1, description="steps with equal weights, whose mean excess risk is the first value; the paper: 3 epochs"
    )

    def start(self, tasks: tuple[str, ...], device: device) -> ExcessMTLState:
        """Equal weights."""
        import torch

        zeros = torch.zeros(len(tasks), device=device)
        return ExcessMTLState(zeros.log_softmax(0), None, zeros, 0)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """One exponentiated step."""
        import torch

        assert shown.jacobian is not None
        sizes = shown.jacobian.abs()
        roots = sizes if state.roots is None else torch.hypot(state.roots, sizes)
        risks = (sizes * (sizes / roots).where(roots > 0, 0.0)).sum(1)
        logarithms, first = state.logarithms, state.first
        if state.steps < self.warmup:
            first = first + risks / self.warmup
        else:
            first = risks.where(first == 0, first)  # the first gradient of a task may come later
            excess = (risks / first).where(first > 0, 0.0).clamp_max(LARGEST)
            logarithms = (logarithms + self.step * excess).log_softmax(0)
        return logarithms.exp(), ExcessMTLState(logarithms, roots, first, state.steps + 1)


class Smoothed(Leveled):
    """Smoothed weights: a moving average over steps of another weighting on the Gramian (CR-MOGM).

    lambda_k = alpha lambda_(k-1) + (1 - alpha) lambda'_k, where lambda' is that of the weighting ``of``, and lambda_0 =
    lambda'_1. Source: Zhou et al., On the Convergence of Stochastic Multi-Objective Gradient Manipulation and Beyond,
    NeurIPS 2022, Algorithm 1, with a constant alpha.
    """

    of: Inner = Field(
        {"name": "mgda"}, description="the weighting that is smoothed: its name, or a mapping with its parameters"
    )
    alpha: float = Field(0.9, ge=0, lt=1, description="share of the last weights")

    @model_validator(mode="after")
    def _pure(self) -> Self:
        if not isinstance(self._inner(), OnGramian):
            raise ValueError(f"of: expected a weighting that is a function of the Gramian, got {self.of['name']}")
        return self

    def _inner(self) -> Any:
        from . import TABLE

        return TABLE.inner(self.of, "of")

    @property
    def reversing(self) -> bool:
        """Whether the weighting that is smoothed has negative weights."""
        return bool(self._inner().reversing)

    def start(self, tasks: tuple[str, ...], device: device) -> None:
        """No weights yet."""

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """The average so far, which is also the state."""
        newest, _ = self._inner().weigh(shown, None)
        weights = newest if state is None else self.alpha * state + (1 - self.alpha) * newest
        return weights, weights
