"""Weightings from torchjd's scalarizations, through one adapter.

The gradient of a scalarization f(L_1 .. L_T) is sum_t (df/dL_t) grad L_t, so lambda_t = df/dL_t at the current losses.
The scales are torchjd's: the docstrings say what the weights sum to, because with plain SGD that sum multiplies the
learning rate (Adam is nearly invariant to it).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import FLOOR, Claim, Need, Shown, Weighting

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Parameter
    from torchjd.scalarization import Scalarizer


class Scalarized(Weighting):
    """lambda = df/dL for the scalarization that ``scalarizer`` makes; the scalarizer itself is the state."""

    @abstractmethod
    def scalarizer(self, tasks: int) -> Scalarizer:
        """A new scalarizer for this many losses."""

    def start(self, tasks: tuple[str, ...], device: device) -> Scalarizer:
        """A new scalarizer on the device."""
        with device:  # for the tensors that torchjd does not move
            return self.scalarizer(len(tasks)).to(device)

    def parameters(self, state: Any) -> Iterable[Parameter]:
        """Log-variances or scales, if the method learns them."""
        return state.parameters() if self.learned else ()

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """df/dL at these losses; the same backward pass fills ``.grad`` of the learned parameters."""
        losses = shown.losses.detach().requires_grad_()
        state(losses).backward()
        assert losses.grad is not None
        return losses.grad, state


class OfPositive(Scalarized):
    """A scalarization that divides by losses or takes their logarithm: those at or below 0 count as FLOOR."""

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """df/dL at these losses; see ``Scalarized``."""
        return super().weigh(shown._replace(losses=shown.losses.clamp_min(FLOOR)), state)


class Random(Scalarized):
    """Random weights at every step: lambda = softmax(z), z_t ~ N(0, 1); they sum to 1.

    Source: Lin et al., Reasonable Effectiveness of Random Weighting, TMLR 2022 (RLW, Algorithm 1). Draws come from
    torch's global generator, seeded for the stream "step".
    """

    random: ClassVar[bool] = True
    recordable: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.CONVEX

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's Random."""
        from torchjd.scalarization import Random

        return Random()


class Uncertainty(Scalarized):
    """Homoscedastic uncertainty: f = sum_t (exp(-s_t) L_t + s_t) / 2 with learned s_t = log sigma_t^2, initially 0.

    lambda_t = exp(-s_t) / 2, so they initially sum to T/2. Source: Kendall, Gal and Cipolla, Multi-Task Learning
    Using Uncertainty to Weigh Losses, CVPR 2018, equation 7. The paper derives 1/sigma^2 without the half for
    classification; here, as in torchjd, all losses are treated alike.
    """

    learned: ClassVar[bool] = True
    recordable: ClassVar[bool] = True

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's UW."""
        from torchjd.scalarization import UW

        return UW(tasks)


class IMTLL(Scalarized):
    """Impartial loss balance: f = sum_t (exp(s_t) L_t - s_t) with learned s_t, initially 0.

    lambda_t = exp(s_t), which tends to 1/L_t; they initially sum to T. Source: Liu et al., Towards Impartial
    Multi-Task Learning, ICLR 2021, equation 6 (IMTL-L, with base a = e).
    """

    learned: ClassVar[bool] = True
    recordable: ClassVar[bool] = True

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's IMTLL."""
        from torchjd.scalarization import IMTLL

        return IMTLL(tasks)


class Geometric(OfPositive):
    """Geometric mean of the losses: f = (prod_t L_t)^(1/T), so lambda_t = f / (T L_t).

    Expects positive losses; those at or below 0 count as 1e-20. Source: Chennupati et al., MultiNet++, CVPR Workshops
    2019 (GLS). torchjd's sign check reads one value back from the device at each step.
    """

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's GeometricMean."""
        from torchjd.scalarization import GeometricMean

        return GeometricMean()


class STCH(Scalarized):
    """Smooth Tchebycheff: f = mu log sum_t exp(L_t / (T mu)), so lambda = softmax(L / (T mu)) / T.

    Descends mostly the largest loss, the more so the smaller mu; lambda sums to 1/T. Source: Lin et al., Smooth
    Tchebycheff Scalarization, ICML 2024, with uniform preference and ideal point 0. The authors' multi-task code takes
    log losses against a nadir point measured in warm-up epochs; this is the paper's formula on the losses themselves.
    """

    recordable: ClassVar[bool] = True

    mu: float = Field(1.0, gt=0, description="smoothing; the paper tries 0.01 to 1")

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's STCH."""
        from torchjd.scalarization import STCH

        return STCH(self.mu)


class PBI(Scalarized):
    """Penalty-based boundary intersection: f = d_1 + theta d_2, with u = (1, ..., 1) / sqrt(T).

    d_1 = L . u is the position of the losses along the diagonal, d_2 = ||L - d_1 u|| their distance from it; a loss far
    below the others can have a negative lambda. lambda sums to sqrt(T). Source: Zhang and Li, MOEA/D, IEEE Transactions
    on Evolutionary Computation 2007, section III, with equal preferences and ideal point 0.
    """

    signed: ClassVar[bool] = True

    theta: float = Field(5.0, ge=0, description="penalty of losses that differ; the paper uses 5")

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's PBI."""
        import torch
        from torchjd.scalarization import PBI

        return PBI(self.theta, torch.ones(tasks))


class COSMOS(Scalarized):
    """Linear scalarization with a reward for equal losses: f = mean L - pull cos(L, (1, ..., 1)).

    lambda sums to 1 if all losses are equal. Source: Ruchte and Grabocka, Scalable Pareto Front Approximation for
    Deep Multi-Objective Learning, ICDM 2021, equation 5, with equal preferences 1/T and without the network's
    conditioning on them.
    """

    signed: ClassVar[bool] = True

    pull: float = Field(1.0, ge=0, description="the paper's lambda, 0.01 to 8 there")

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's COSMOS."""
        import torch
        from torchjd.scalarization import COSMOS

        return COSMOS(self.pull, torch.full((tasks,), 1 / tasks))


class DWA(OfPositive):
    """Dynamic weight average: lambda = T softmax(r / temperature), r_t = L_t(epoch - 1) / L_t(epoch - 2).

    The losses are means over the epoch's batches, in which those at or below 0 count as 1e-20; the first two epochs
    have lambda_t = 1; lambda sums to T. Source: Liu et al., End-to-End Multi-Task Learning with Attention, CVPR 2019,
    equation 7.
    """

    temperature: float = Field(2.0, gt=0, description="a larger one makes the weights more equal")

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's DWA."""
        from torchjd.scalarization import DWA

        return DWA(self.temperature)

    def after_epoch(self, state: Any) -> Any:
        """Complete the epoch's averages."""
        state.step()
        return state


class FAMO(OfPositive):
    """Fast adaptive multi-task optimization: every loss should decrease at the same relative rate.

    lambda_t = c z_t / L_t with z = softmax(w) and c = 1 / sum_t (z_t / L_t), so they sum to 1. After the update, Adam
    moves w along the change of the log losses on the same batch. Source: Liu et al., FAMO: Fast Adaptive Multitask
    Optimization, NeurIPS 2023, equations 10 to 12, Algorithm 2. Expects positive losses (their lower bound is taken as
    0); those at or below 0 count as 1e-20. ``weight_decay`` is the paper's gamma: 1e-3 in Algorithm 2 and in its
    experiments, except 1e-2 on Cityscapes.
    """

    needs: ClassVar[Need] = Need.LOSSES | Need.LOSSES_AFTER
    claims: ClassVar[Claim] = Claim.CONVEX

    lr: float = Field(0.025, gt=0, description="learning rate of the task logits w")
    weight_decay: float = Field(1e-3, ge=0, description="decay of the task logits w")

    def scalarizer(self, tasks: int) -> Scalarizer:
        """torchjd's FAMO."""
        from torchjd.scalarization import FAMO

        return FAMO(tasks, lr=self.lr, weight_decay=self.weight_decay)

    def after_step(self, losses: Tensor, state: Any) -> Any:
        """Update the task logits."""
        state.update(losses.clamp_min(FLOOR))
        return state
