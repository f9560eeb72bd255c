"""Learning rates adapted to each parameter by its squared gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import Beta, Decayed, Update

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer as TorchOptimizer


class Adagrad(Decayed):
    """Adagrad: s <- s + g^2, theta <- theta - lr g / (sqrt(s) + eps).

    torch has its fused update on some devices only, so engines with a fused update are rejected.
    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, JMLR 2011.
    """

    updates: ClassVar[tuple[Update, ...]] = ("loop", "foreach")

    lr: float = Field(0.01, gt=0, description="learning rate")
    eps: float = Field(1e-10, gt=0, description="added to the root of the sum of squares")

    @property
    def scale_free(self) -> bool:
        """Without weight decay, which is added to the gradient before it is divided by its own size."""
        return not self.weight_decay

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.Adagrad."""
        import torch

        settings: dict[str, Any] = {"lr": self.lr, "eps": self.eps, "weight_decay": self.weight_decay}
        return torch.optim.Adagrad(self._groups(model, weighting), **settings, foreach=update == "foreach")


class RMSprop(Decayed):
    """RMSprop: s <- alpha s + (1 - alpha) g^2, theta <- theta - lr g / (sqrt(s) + eps).

    Source: Hinton, Neural Networks for Machine Learning, lecture 6e, 2012.
    """

    updates: ClassVar[tuple[Update, ...]] = ("loop", "foreach")

    alpha: Beta = Field(0.99, description="decay of the mean of squares")
    eps: float = Field(1e-8, gt=0, description="added to the root of the mean of squares")

    @property
    def scale_free(self) -> bool:
        """Without weight decay, which is added to the gradient before it is divided by its own size."""
        return not self.weight_decay

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.RMSprop."""
        import torch

        settings: dict[str, Any] = {
            "lr": self.lr,
            "alpha": self.alpha,
            "eps": self.eps,
            "weight_decay": self.weight_decay,
        }
        return torch.optim.RMSprop(self._groups(model, weighting), **settings, foreach=update == "foreach")
