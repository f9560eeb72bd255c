"""Adam and AdamW, with and without bias correction: torch's, a short implementation of ours, or the kernel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import BY, FLAGS, Beta, Decayed, Update

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer as TorchOptimizer


class Adam(Decayed):
    """Adam: moving averages of the gradient and of its square; weight decay is added to the gradient.

    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, theta <- theta - lr m' / (sqrt(v') + eps) with
    m' = m / (1 - b1^k), v' = v / (1 - b2^k) in step k; without bias correction, m' = m and v' = v.
    Source: Kingma and Ba, Adam, ICLR 2015, Algorithm 1.
    """

    updates: ClassVar[tuple[Update, ...]] = ("loop", "foreach", "fused", "kernel")
    momentum_key: ClassVar[str] = "betas"
    decoupled: ClassVar[bool] = False  # decay of the parameter itself instead of its gradient

    betas: tuple[Beta, Beta] = Field((0.9, 0.999), description="decay of the two moments")
    eps: float = Field(1e-8, gt=0, description="added to the root of the second moment")
    bias_correction: bool = Field(True, description="divide the moments by 1 - beta^step")

    def check(self, update: Update) -> list[str]:
        """torch's fused update always corrects the bias."""
        if self.bias_correction or update != "fused":
            return super().check(update)
        return [f"with bias_correction: false has no update by {BY[update]}, which always correct"]

    @property
    def scale_free(self) -> bool:
        """Whether nothing is added to the gradient before it is divided by its own size; eps is negligible."""
        return self.decoupled or not self.weight_decay

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.Adam or AdamW, mtlbench.FusedAdam, or UncorrectedAdam."""
        import torch

        from ..fused_adam import FusedAdam
        from .uncorrected import UncorrectedAdam

        groups = self._groups(model, weighting)
        settings: tuple[Any, ...] = (self.lr, self.betas, self.eps, self.weight_decay)
        if update == "kernel":
            return FusedAdam(groups, *settings, decoupled=self.decoupled, bias_correction=self.bias_correction)
        if not self.bias_correction:
            return UncorrectedAdam(groups, *settings, decoupled=self.decoupled, foreach=update == "foreach")
        kind: Any = torch.optim.AdamW if self.decoupled else torch.optim.Adam
        optimizer: TorchOptimizer = kind(groups, *settings, **FLAGS[update])
        return optimizer


class AdamW(Adam):
    """Adam with decoupled weight decay: theta <- (1 - lr decay) theta, then Adam.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019, Algorithm 2.
    """

    decoupled: ClassVar[bool] = True

    weight_decay: float = Field(0.01, ge=0, description="of the model's parameters, never of a weighting's")
