"""Steps that evaluate the objective more than once: line searches, quasi-Newton and Newton methods."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .buffers import Buffers


def evaluates_again(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the optimizer's ``step`` cannot do without a closure."""
    return inspect.signature(optimizer.step).parameters["closure"].default is inspect.Parameter.empty


class Objective:
    """f(theta) = sum_t lambda_t L_t(theta) + rho R(theta) on one batch, with lambda from the start of the step.

    losses   the task losses [T] of the batch at the current parameters
    weights  lambda [T], fixed while the optimizer searches, so that the objective does not change under it
    penalty  rho R, or None if there is none

    Every evaluation draws the same random numbers, so that dropout does not look like a change of the objective, and
    leaves the model's buffers alone, which the pass that lambda was found from has updated.
    """

    def __init__(
        self,
        losses: Callable[[], Tensor],
        weights: Tensor,
        penalty: Callable[[], Tensor | None],
        optimizer: torch.optim.Optimizer,
        buffers: Buffers,
    ) -> None:
        self.losses, self.weights, self.penalty = losses, weights, penalty
        self.optimizer, self.buffers = optimizer, buffers

    def value(self) -> Tensor:
        """f, with its graph if gradients are enabled."""
        device = self.weights.device
        with self.buffers.kept(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            losses, penalty = self.losses(), self.penalty()
        total = losses @ self.weights.to(losses.dtype)
        return total if penalty is None else total + penalty

    def __call__(self) -> Any:
        """f, and its gradient in every ``.grad``: what torch.optim expects of a closure."""
        with torch.enable_grad():
            self.optimizer.zero_grad()
            value = self.value()
            value.backward()
        return value.detach()
