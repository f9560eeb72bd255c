"""Early stopping by the validation score, keeping the weights of the best epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import torch

from ...core.errors import MtlbenchError
from ...core.settings import EarlyStopping
from ...engine.model import Model


def check_scored(first: Mapping[str, float]) -> None:
    """Raise MtlbenchError if no epoch can have a score; ``first`` holds the validation losses before training."""
    if not any(loss > 0 for loss in first.values()):
        raise MtlbenchError(
            "early stopping, until: plateau and schedules by score expect labelled rows in the validation split, got "
            "none: give the problem a validation split, or train for a number of epochs with another schedule"
        )


@dataclass(frozen=True)
class Shorter:
    """What half the patience would have ended with: epochs and steps trained, and the weights of the best epoch."""

    epochs: int
    steps: int
    best: int
    weights: Mapping[str, torch.Tensor]


class BestEpoch:
    """Tracks the best score; without settings, the last epoch counts as the best. The initial weights never do.

    ``shorter`` is set when half the patience is over: up to then, training with half the patience is the same.
    """

    def __init__(self, settings: EarlyStopping | None, model: Model) -> None:
        self.settings, self.model = settings, model
        self.epoch, self.steps, self.score = 0, 0, inf
        self.weights: dict[str, torch.Tensor] = {}  # parameters and buffers
        self.shorter: Shorter | None = None

    def update(self, epoch: int, steps: int, score: float) -> bool:
        """Record the score of an epoch that ended after so many steps; True if training should stop."""
        if self.settings is None:
            self.epoch = epoch
            return False
        if self.settings.improves(score, self.score):
            self.epoch, self.steps, self.score = epoch, steps, score
            self.weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        rest = (epoch - self.epoch, steps - self.steps)
        if self.shorter is None and self.settings.halved.over(*rest):
            self.shorter = Shorter(epoch, steps, self.epoch, self.weights)
        return self.settings.over(*rest)

    def restore(self) -> int:
        """Restore the best weights and return their epoch."""
        if self.weights:
            self.model.load_state_dict(self.weights)
        return self.epoch
