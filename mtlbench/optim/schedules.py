"""Learning rates and momentum by epoch: pure functions of the epoch and of the validation scores so far."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import cos, inf, pi
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ..core.config import Config
from .base import Optimizer

if TYPE_CHECKING:
    from torch.optim import Optimizer as TorchOptimizer


class Schedule(Config):
    """The learning rate of each epoch, as a factor of the optimizer's ``lr``; all have warm-up and decay of beta.

    In epoch e = 0, 1, … of E with w epochs of warm-up, lr is multiplied by (e + 1) / (w + 1) while e < w, and by
    factor(e - w, E - w) from then on (gradual warm-up: Goyal et al., 2017, section 2.2, here by epochs). The decay of
    the first moment (Adam's beta_1, momentum) is beta_decay^e times the optimizer's: Kingma and Ba, ICLR 2015,
    section 4, who decay it by steps.
    """

    by_score: ClassVar[bool] = False  # whether it needs the score of the validation split
    spans: ClassVar[bool] = False  # whether it is laid over all epochs, whose number has to be known beforehand

    warmup: int = Field(0, ge=0, description="epochs in which lr rises linearly to its full value")
    beta_decay: float = Field(1.0, gt=0, le=1, description="factor of beta_1 or momentum per epoch")

    def check(self, optimizer: Optimizer) -> list[str]:
        """The reasons why this schedule cannot be used with an optimizer, one sentence each; empty if it can."""
        if self.beta_decay == 1 or optimizer.momentum_key:
            return []
        return ["beta_decay: expected an optimizer with momentum or a beta_1, got one without: remove beta_decay"]

    @abstractmethod
    def factor(self, epoch: int, epochs: int, scores: Sequence[float]) -> float:
        """lr's factor in epoch 0, 1, … of ``epochs``; ``scores`` are those of the epochs before, lower being better."""

    def full_factor(self, epoch: int, epochs: int, scores: Sequence[float]) -> float:
        """The factor with warm-up."""
        if epoch < self.warmup:
            return (epoch + 1) / (self.warmup + 1)
        return self.factor(epoch - self.warmup, max(epochs - self.warmup, 1), scores[self.warmup :])

    def build(self, optimizer: TorchOptimizer, epochs: int, momentum_key: str = "") -> Rates:
        """The object that sets the rates of an optimizer; its ``step`` is to be called at the end of every epoch."""
        return Rates(self, optimizer, epochs, momentum_key)


class Rates:
    """Sets ``lr`` and the decay of the first moment in every parameter group."""

    def __init__(self, schedule: Schedule, optimizer: TorchOptimizer, epochs: int, momentum_key: str) -> None:
        self.schedule, self.optimizer, self.epochs, self.momentum_key = schedule, optimizer, epochs, momentum_key
        self.first: list[dict[str, Any]] = [dict(group) for group in optimizer.param_groups]
        self.scores: list[float] = []
        self._apply(0)

    def step(self, score: float = inf) -> None:
        """Set the rates of the next epoch, from the validation score of the one that ended."""
        self.scores.append(score)
        self._apply(len(self.scores))

    def _apply(self, epoch: int) -> None:
        factor = self.schedule.full_factor(epoch, self.epochs, self.scores)
        decay, key = self.schedule.beta_decay**epoch, self.momentum_key
        for group, first in zip(self.optimizer.param_groups, self.first, strict=True):
            if hasattr(group["lr"], "fill_"):  # a tensor, which CUDA graphs read at its address
                group["lr"].fill_(first["lr"] * factor)
            else:
                group["lr"] = first["lr"] * factor
            if key and decay != 1:
                value = first[key]
                group[key] = (value[0] * decay, *value[1:]) if isinstance(value, tuple) else value * decay


class Constant(Schedule):
    """The same learning rate throughout, after warm-up if there is any."""

    def factor(self, epoch: int, epochs: int, scores: Sequence[float]) -> float:
        """1."""
        return 1.0


class Exponential(Schedule):
    """Exponential decay: lr * gamma^epoch."""

    gamma: float = Field(0.95, gt=0, le=1, description="factor per epoch")

    def factor(self, epoch: int, epochs: int, scores: Sequence[float]) -> float:
        """gamma^e."""
        return self.gamma**epoch


class Cosine(Schedule):
    """Half a cosine from lr to ``final`` * lr over the epochs of the run.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017, equation 5 without restarts.
    """

    spans: ClassVar[bool] = True

    final: float = Field(0.0, ge=0, le=1, description="last factor")

    def factor(self, epoch: int, epochs: int, scores: Sequence[float]) -> float:
        """final + (1 - final) (1 + cos(pi e / epochs)) / 2."""
        return self.final + (1 - self.final) * (1 + cos(pi * min(epoch / epochs, 1))) / 2


class Step(Schedule):
    """Steps: lr * gamma^floor(epoch / every)."""

    every: int = Field(ge=1, description="epochs between two drops")
    gamma: float = Field(0.1, gt=0, le=1, description="factor per drop")

    @classmethod
    def example(cls) -> dict[str, Any]:
        """A drop at every other epoch."""
        return {"every": 2}

    def factor(self, epoch: int, epochs: int, scores: Sequence[float]) -> float:
        """gamma^floor(e / every)."""
        return self.gamma ** (epoch // self.every)


class Plateau(Schedule):
    """Plateaus: lr * gamma each time the validation score has not improved for more than ``patience`` epochs.

    The score is that of early stopping: the mean over tasks of L_t(epoch) / L_t(0) on the validation split. After a
    drop the count restarts. Equals torch's ReduceLROnPlateau without cool-down and with an absolute threshold.
    """

    by_score: ClassVar[bool] = True

    patience: int = Field(3, ge=0, description="epochs without improvement that are tolerated")
    gamma: float = Field(0.1, gt=0, lt=1, description="factor per drop")
    min_delta: float = Field(0.0, ge=0, description="smallest decrease of the score that counts as improvement")

    def factor(self, epoch: int, epochs: int, scores: Sequence[float]) -> float:
        """gamma^drops, with the number of drops that the scores imply."""
        best, waited, drops = inf, 0, 0
        for score in scores:
            waited = 0 if score < best - self.min_delta else waited + 1
            best = min(best, score) if waited == 0 else best
            if waited > self.patience:
                waited, drops = 0, drops + 1
        return self.gamma**drops
