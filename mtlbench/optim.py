"""The tables of optimizers and of learning-rate schedules: torch's own, updated the way the engine says."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .core.config import Config
from .core.registry import Registry

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer as TorchOptimizer
    from torch.optim.lr_scheduler import LRScheduler

OPTIMIZERS = Registry(
    "optimizers",
    {"adam": "mtlbench.optim:Adam", "adamw": "mtlbench.optim:AdamW", "sgd": "mtlbench.optim:SGD"},
)
SCHEDULES = Registry(
    "schedules",
    {
        "constant": "mtlbench.optim:Constant",
        "exponential": "mtlbench.optim:Exponential",
        "cosine": "mtlbench.optim:Cosine",
        "step": "mtlbench.optim:Step",
    },
)

Update = Literal["loop", "foreach", "fused", "kernel"]
_FLAGS: dict[Update, dict[str, bool]] = {
    "loop": {"foreach": False, "fused": False},
    "foreach": {"foreach": True, "fused": False},
    "fused": {"foreach": False, "fused": True},
}
_Beta = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(Config):
    """How parameters move along the combined gradient."""

    lr: float = Field(1e-3, gt=0, description="learning rate")
    weight_decay: float = Field(0.0, ge=0, description="of the model's parameters, never of a weighting's")

    def check(self, update: Update) -> list[str]:
        """What makes an engine's update impossible for this optimizer, each in one sentence; empty if nothing."""
        return []

    @abstractmethod
    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """The optimizer of the model's and the weighting's parameters: torch's, computed parameter by parameter (loop),
        with one call per operation (foreach) or with one call per update (fused), or mtlbench's kernel.
        """

    def _groups(self, model: Iterable[Parameter], weighting: Iterable[Parameter]) -> list[dict[str, Any]]:
        """Decay would pull a weighting's parameters towards weights that nobody chose, so they have none."""
        extra = list(weighting)
        return [{"params": list(model)}, *([{"params": extra, "weight_decay": 0.0}] if extra else [])]


class Adam(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015), with weight decay added to the gradient."""

    betas: tuple[_Beta, _Beta] = Field((0.9, 0.999), description="decay of the two moments")
    eps: float = Field(1e-8, gt=0, description="added to the root of the second moment")

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.Adam, or mtlbench.FusedAdam."""
        import torch

        groups = self._groups(model, weighting)
        if update == "kernel":
            return self._kernel(groups, decoupled=False)
        return torch.optim.Adam(groups, self.lr, self.betas, self.eps, self.weight_decay, **_FLAGS[update])

    def _kernel(self, groups: list[dict[str, Any]], decoupled: bool) -> TorchOptimizer:
        from .fused_adam import FusedAdam

        return FusedAdam(groups, self.lr, self.betas, self.eps, self.weight_decay, decoupled=decoupled)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""

    weight_decay: float = Field(0.01, ge=0, description="of the model's parameters, never of a weighting's")

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.AdamW, or mtlbench.FusedAdam."""
        import torch

        groups = self._groups(model, weighting)
        if update == "kernel":
            return self._kernel(groups, decoupled=True)
        return torch.optim.AdamW(groups, self.lr, self.betas, self.eps, self.weight_decay, **_FLAGS[update])


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted."""

    lr: float = Field(0.01, gt=0, description="learning rate")
    momentum: float = Field(0.0, ge=0, lt=1, description="decay of the velocity")
    nesterov: bool = Field(False, description="Nesterov's momentum")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov: expected a momentum above 0, got 0; set momentum: 0.9 or remove nesterov")
        return self

    def check(self, update: Update) -> list[str]:
        """There is no kernel for it."""
        if update != "kernel":
            return []
        return ["expected optimizer adam or adamw with this engine, got sgd: choose another, or engine torch_fused"]

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.SGD."""
        import torch

        groups = self._groups(model, weighting)
        settings = (self.lr, self.momentum, 0.0, self.weight_decay, self.nesterov)
        return torch.optim.SGD(groups, *settings, **_FLAGS[update])


class Schedule(Config):
    """The learning rate of each epoch, as a factor of the optimizer's ``lr``."""

    @abstractmethod
    def build(self, optimizer: TorchOptimizer, epochs: int) -> LRScheduler:
        """torch's scheduler; its ``step`` is due at the end of every epoch."""


class Constant(Schedule):
    """The same learning rate throughout."""

    def build(self, optimizer: TorchOptimizer, epochs: int) -> LRScheduler:
        """A factor of 1."""
        from torch.optim.lr_scheduler import ConstantLR

        return ConstantLR(optimizer, factor=1.0, total_iters=0)


class Exponential(Schedule):
    """lr * gamma^epoch."""

    gamma: float = Field(0.95, gt=0, le=1, description="factor per epoch")

    def build(self, optimizer: TorchOptimizer, epochs: int) -> LRScheduler:
        """torch's ExponentialLR."""
        from torch.optim.lr_scheduler import ExponentialLR

        return ExponentialLR(optimizer, self.gamma)


class Cosine(Schedule):
    """Half a cosine from lr to ``final`` * lr over the epochs of the run (Loshchilov and Hutter, ICLR 2017)."""

    final: float = Field(0.0, ge=0, le=1, description="last factor")

    def build(self, optimizer: TorchOptimizer, epochs: int) -> LRScheduler:
        """factor(e) = final + (1 - final) (1 + cos(pi e / epochs)) / 2."""
        from math import cos, pi

        from torch.optim.lr_scheduler import LambdaLR

        return LambdaLR(optimizer, lambda e: self.final + (1 - self.final) * (1 + cos(pi * min(e / epochs, 1))) / 2)


class Step(Schedule):
    """lr * gamma^floor(epoch / every)."""

    every: int = Field(ge=1, description="epochs between two drops")
    gamma: float = Field(0.1, gt=0, le=1, description="factor per drop")

    def build(self, optimizer: TorchOptimizer, epochs: int) -> LRScheduler:
        """torch's StepLR."""
        from torch.optim.lr_scheduler import StepLR

        return StepLR(optimizer, self.every, self.gamma)
