"""Gradient descent, whole or stochastic, with and without momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import FLAGS, Beta, Decayed, Update

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer as TorchOptimizer


class SGD(Decayed):
    """Stochastic gradient descent: theta <- theta - lr g, g from one batch.

    Source: Robbins and Monro, A Stochastic Approximation Method, Annals of Mathematical Statistics 1951.
    """

    lr: float = Field(0.01, gt=0, description="learning rate")

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.SGD."""
        return self._sgd(model, weighting, update)

    def _sgd(
        self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update, **more: Any
    ) -> TorchOptimizer:
        import torch

        settings: Any = {"weight_decay": self.weight_decay, **more, **FLAGS[update]}
        return torch.optim.SGD(self._groups(model, weighting), self.lr, **settings)


class GD(SGD):
    """Gradient descent: theta <- theta - lr g, g from the whole training split.

    An epoch is one step on all rows at once; ``train.batch_size`` is not used, and the pass must fit into memory.
    Source: Cauchy, Comptes Rendus 1847.
    """

    whole_split: ClassVar[bool] = True

    lr: float = Field(0.1, gt=0, description="learning rate")


class Momentum(SGD):
    """Heavy ball: v <- momentum v + g, theta <- theta - lr v.

    Source: Polyak, Some Methods of Speeding up the Convergence of Iteration Methods, 1964. As in torch, lr is not
    part of v.
    """

    momentum_key: ClassVar[str] = "momentum"

    momentum: Beta = Field(0.9, description="decay of the velocity v")

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.SGD with momentum."""
        return self._sgd(model, weighting, update, momentum=self.momentum)


class Nesterov(Momentum):
    """Nesterov's momentum: v <- momentum v + g, theta <- theta - lr (g + momentum v).

    Source: Sutskever et al., On the Importance of Initialization and Momentum in Deep Learning, ICML 2013.
    """

    momentum: float = Field(0.9, gt=0, lt=1, description="decay of the velocity v")

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.SGD with Nesterov's momentum."""
        return self._sgd(model, weighting, update, momentum=self.momentum, nesterov=True)
