"""Early stopping on the validation split, with the best epoch's weights."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

import torch

from ..core.errors import MtlbenchError
from ..core.settings import EarlyStopping
from ..engine.model import Model


class BestEpoch:
    """Follows the score of ``core.settings.EarlyStopping``; without settings, the last epoch is the best.

    The initial weights give the denominators and are no candidate.
    """

    def __init__(self, settings: EarlyStopping | None, model: Model, initial: Mapping[str, float]) -> None:
        self.settings, self.model = settings, model
        self.initial = {name: loss for name, loss in initial.items() if loss > 0}
        if settings and not self.initial:
            raise MtlbenchError(
                "early stopping expects labelled rows in the validation split, got none: "
                "give the problem a validation split, or remove train.early_stopping"
            )
        self.epoch, self.score = 0, float("inf")
        self.weights: dict[str, torch.Tensor] = {}  # parameters and buffers

    def update(self, epoch: int, losses: Mapping[str, float]) -> bool:
        """Take note of an epoch's validation losses; True when training should stop."""
        if self.settings is None:
            self.epoch = epoch
            return False
        score = fmean(losses[name] / first for name, first in self.initial.items())
        if score < self.score - self.settings.min_delta:
            self.epoch, self.score = epoch, score
            self.weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        return epoch - self.epoch >= self.settings.patience

    def restore(self) -> int:
        """Put the best weights back into the model; the epoch they are from."""
        if self.weights:
            self.model.load_state_dict(self.weights)
        return self.epoch
