"""What the parameters that belong to one task descend."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor

from ..core.settings import Heads
from ..weightings.base import Weighting
from .distributed import World
from .model import Model

_SMALLEST_LOSS = 1e-8  # what 1/L_t is bounded by, as weightings on log losses bound it


class OwnParameters:
    """Task t's own parameters descend h_t grad L_t, with h_t by the method's rule (``core.settings.Heads``).

    follow  whether h_t = lambda_t, so that one backward pass from sum_t lambda_t L_t serves shared and own parameters
    """

    def __init__(self, model: Model, weighting: Weighting, heads: Heads, world: World | None = None) -> None:
        self.world = world or World()
        self.factor = weighting.heads(heads.rule)
        self.follow = self.factor == "weighted"
        self.parameters = [[p for p in module.parameters() if p.requires_grad] for module in model.own]

    def scale_(self, losses: Tensor, weights: Tensor) -> None:
        """Multiply every task's ``.grad``, which is this rank's part of grad L_t, by h_t, and sum it over ranks."""
        self.world.sum_gradients(chain.from_iterable(self.parameters))
        if self.factor == "unweighted":
            return
        count = len(self.parameters)
        factors = torch.full_like(weights, 1 / count) if self.factor == "mean" else weights
        if self.factor == "logarithm":
            factors = losses.clamp_min(_SMALLEST_LOSS).reciprocal()
        for factor, parameters in zip(factors.unbind(), self.parameters, strict=True):
            gradients = [p.grad for p in parameters if p.grad is not None]
            if gradients:
                torch._foreach_mul_(gradients, factor)
