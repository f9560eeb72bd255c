"""torchjd's weightings on gradients, through one adapter, whose state is the torchjd module.

Their solvers run where torchjd runs them, some on the CPU: they are included for breadth, at torchjd's speed.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import Claim, HeadFactor, Need, Shown, Weighting
from .on_gramian import Leveled

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Module


class Adapted(Weighting):
    """lambda computed by the torchjd module that ``module`` returns."""

    published: ClassVar[HeadFactor] = "unweighted"

    @abstractmethod
    def module(self) -> Module:
        """A new module, which takes one matrix and returns lambda [T]."""

    def start(self, tasks: tuple[str, ...], device: device) -> Module:
        """A new module on the device."""
        return self.module().to(device)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """Apply the module to the Gramian, the Jacobian or the crossed Gramian, whichever it needs."""
        matrices = (shown.jacobian, shown.crossed, shown.gramian)
        matrix = next(matrix for matrix in matrices if matrix is not None)
        return state(matrix).detach().to(shown.losses.dtype, copy=True), state


class Krum(Leveled, Adapted):
    """Multi-Krum: the mean of the task gradients that are closest to the others; lambda is 0 or 1/selected.

    A task's score is the sum of the distances to its T - outliers - 2 nearest other gradients. Source: Blanchard et
    al., Machine Learning with Adversaries, NeurIPS 2017.
    """

    ordered: ClassVar[bool] = True  # ties go to the first
    claims: ClassVar[Claim] = Claim.CONVEX | Claim.HOMOGENEOUS

    outliers: int = Field(
        0, ge=0, description="number of gradients that may be outliers; at least 3 more tasks are needed"
    )
    selected: int = Field(1, ge=1, description="gradients that are averaged")

    def check(self, tasks: tuple[str, ...]) -> list[str]:
        """There must be enough tasks for each to have neighbours."""
        least = max(self.outliers + 3, self.selected)
        return [] if len(tasks) >= least else [f"outliers, selected: expected at least {least} tasks, got {len(tasks)}"]

    def module(self) -> Module:
        """torchjd's KrumWeighting."""
        from torchjd.aggregation import KrumWeighting

        return KrumWeighting(self.outliers, self.selected)


class PCD(Leveled, Adapted):
    """Priority-constrained descent: follow the first task, and grant every other a share tau of its full progress.

    min ||d - g_1||^2 / 2 subject to g_t . d >= tau ||g_t||^2, for gradients divided by their root mean square; d is
    then rescaled to the length of g_1. Source: Priority-Constrained Descent, TMLR 2026, as in torchjd, but without its
    1e-8 on the mean squares, which small gradients would notice. Runs on the CPU.
    """

    ordered: ClassVar[bool] = True  # the first task is the one that is followed
    claims: ClassVar[Claim] = Claim.HOMOGENEOUS

    tau: float = Field(0.02, ge=0, le=1, description="share of the progress along a task's own gradient")
    beta: float = Field(0.999, ge=0, lt=1, description="decay of the mean squares")

    def module(self) -> Module:
        """torchjd's PCDWeighting."""
        from torchjd.aggregation import PCDWeighting

        return PCDWeighting(self.tau, self.beta, eps=0.0)


class SDMGrad(Adapted):
    """Direction-oriented descent: the shortest combination of gradients, regularised towards their mean by ``pull``.

    w descends (w + pull/T) A / s^2 on the simplex, A = J_1 J_2^T, s the mean of sqrt(A_tt); lambda = (w + pull/T) /
    (1 + pull), which sums to 1.
    Source: Xiao, Ban and Ji, Direction-oriented Multi-objective Learning, NeurIPS 2023, Algorithm 1. The paper draws
    three independent batches a step; here J_1 and J_2 are of the two halves of the batch, and the step uses both. No
    ``level``: J_1 and J_2 need the same coordinates, and the representation of each half is of other rows.
    """

    needs: ClassVar[Need] = Need.CROSSED
    ordered: ClassVar[bool] = True  # at stationary points its inner steps magnify rounding
    claims: ClassVar[Claim] = Claim.CONVEX | Claim.HOMOGENEOUS

    pull: float = Field(
        0.3, ge=0, description="the paper's lambda: strength of the regularisation towards the mean gradient"
    )
    lr: float = Field(10.0, gt=0, description="learning rate of the inner steps on w")
    momentum: float = Field(0.5, ge=0, lt=1, description="of the inner steps")
    steps: int = Field(20, ge=1, description="inner steps at each training step")

    def module(self) -> Module:
        """torchjd's SDMGradWeighting."""
        from torchjd.aggregation import SDMGradWeighting

        return SDMGradWeighting(self.lr, self.momentum, self.steps, self.pull)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """On A / s^2, since torchjd adds 1e-8 to s^2, which small gradients would notice."""
        from ..ops.gramian_solvers import TINY

        assert shown.crossed is not None
        crossed = shown.crossed.double()
        size = crossed.diagonal().clamp_min(0).sqrt().mean() ** 2
        size = size.maximum(1e-8 * crossed.abs().amax()).clamp_min(TINY)
        return super().weigh(shown._replace(crossed=crossed / size), state)


class MoDo(Adapted):
    """Double sampling: one step of lambda per batch towards the shortest combination, from two independent halves.

    lambda <- projection onto the simplex of lambda - gamma (J_1 J_2^T + rho I) lambda; it sums to 1. Source: Chen et
    al., Three-Way Trade-Off in Multi-Objective Learning, JMLR 2024, equation 2.9; ``gamma`` and ``rho`` as in the
    authors' code for Office-31. gamma has the unit of 1 / ||g||^2: for gradients of another size it needs tuning (the
    authors vary it from 1e-3 to 1). J_1 and J_2 are of the two halves of the batch, where the paper draws two batches.
    No ``level``: J_1 and J_2 need the same coordinates, and the representation of each half is of other rows.
    """

    needs: ClassVar[Need] = Need.CROSSED
    claims: ClassVar[Claim] = Claim.CONVEX

    gamma: float = Field(0.1, gt=0, description="learning rate of lambda")
    rho: float = Field(0.1, ge=0, description="pull towards equal weights")

    def module(self) -> Module:
        """torchjd's MoDoWeighting."""
        from torchjd.aggregation import MoDoWeighting

        return MoDoWeighting(self.gamma, self.rho)


class Aggregated(Leveled):
    """A direction that is not a weighted sum of the task gradients; lambda is nominal."""

    needs: ClassVar[Need] = Need.JACOBIAN
    nominal: ClassVar[bool] = True

    def start(self, tasks: tuple[str, ...], device: device) -> None:
        """No state."""


class GradDrop(Aggregated):
    """Gradient sign dropout: in each coordinate only the gradients of one randomly chosen sign are summed.

    The positive sign has probability (1 + sum_t g_t / sum_t |g_t|) / 2; a share ``leak`` of all gradients always
    passes. lambda is reported as 1. Source: Chen et al., Just Pick a Sign, NeurIPS 2020, Algorithm 1, lines 10 to 15,
    with the identity for f. With ``level: representation`` each row of the batch has its own signs, where the paper
    sums over the batch first.
    """

    random: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.HOMOGENEOUS

    leak: float = Field(0.0, ge=0, le=1, description="share of each gradient that is exempt from dropout")

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """Ones."""
        import torch

        return torch.ones_like(shown.losses), state

    def combine(self, jacobian: Tensor, weights: Tensor, state: Any) -> Tensor:
        """torchjd's GradDrop."""
        from torchjd.aggregation import GradDrop as Aggregator

        result: Tensor = Aggregator(leak=self.leak * weights)(jacobian)
        return result


class TrimmedMean(Aggregated):
    """The mean of each coordinate without its ``trim`` largest and smallest values; lambda is reported as 1/T.

    Source: Yin et al., Byzantine-Robust Distributed Learning, ICML 2018, definition 2.
    """

    claims: ClassVar[Claim] = Claim.HOMOGENEOUS

    trim: int = Field(1, ge=0, description="values dropped at either end; there must be more than twice as many tasks")

    def check(self, tasks: tuple[str, ...]) -> list[str]:
        """At least one value must remain."""
        least = 2 * self.trim + 1
        return [] if len(tasks) >= least else [f"trim: expected at least {least} tasks, got {len(tasks)}"]

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """1/T."""
        import torch

        return torch.full_like(shown.losses, 1 / len(shown.losses)), state

    def combine(self, jacobian: Tensor, weights: Tensor, state: Any) -> Tensor:
        """torchjd's TrimmedMean."""
        from torchjd.aggregation import TrimmedMean as Aggregator

        result: Tensor = Aggregator(self.trim)(jacobian)
        return result
