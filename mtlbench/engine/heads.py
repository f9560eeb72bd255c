"""The heads' part of a step in one launch: outputs, losses, gradients and Adam of linear heads by ``step_heads_``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..core.task import Outline
from ..fused_adam import FusedAdam
from ..ops.step_heads import heads_win, step_heads_
from ..weightings.base import Weighting
from .batches import Batch
from .losses import Kinds
from .model import Model
from .table import Engine

_STATES = ("exp_avg", "exp_avg_sq", "step")


class LinearHeads:
    """Updates the heads, and computes the gradient of every parameter before them.

    The weights lambda must be known before the losses are, so the weighting must need nothing (``Need(0)``). Each
    task's own module must be one linear layer on features [B, H]; FusedAdam must update all of them alike.
    """

    def __init__(self, model: Model, outline: Outline, layers: list[nn.Linear], optimizer: FusedAdam) -> None:
        self.model, self.layers, self.optimizer = model, layers, optimizer
        self.names, self.kinds = outline.names, Kinds.of(outline.tasks)

    @classmethod
    def of(
        cls, engine: Engine, model: Model, outline: Outline, weighting: Weighting, optimizer: Any
    ) -> LinearHeads | None:
        """An instance if it is possible and faster, else None."""
        recipe = engine.recipe
        kernels = recipe.losses == "kernel" and recipe.update == "kernel" and recipe.wrapper == "none"
        if not kernels or weighting.needs or not model.architecture.heads_alone or not isinstance(optimizer, FusedAdam):
            return None
        layers = [_linear(module) for module in model.own]
        if any(task.positions for task in outline.tasks) or None in layers:
            return None
        linear = [layer for layer in layers if layer is not None]
        head_parameters = {id(p) for layer in linear for p in layer.parameters()}
        alike = head_parameters <= {id(p) for p in optimizer.param_groups[0]["params"] if p.requires_grad}
        pairs = [(layer.weight, layer.bias) for layer in linear]
        one_width = len({layer.in_features for layer in linear}) == 1
        if not alike or not one_width or not heads_win(linear[0].weight.new_empty(0, linear[0].in_features), pairs):
            return None
        return cls(model, outline, linear, optimizer)

    def __call__(self, batch: Batch, weights: Tensor) -> Tensor:
        """The losses L [T]. Updates the heads, and sets ``.grad`` of the parameters before them to the weighted sum of
        the tasks' gradients, sum_t lambda_t grad L_t.
        """
        representation = self.model.represent(batch.inputs)
        features = (
            [representation[name] for name in self.names] if isinstance(representation, Mapping) else [representation]
        )
        group = self.optimizer.param_groups[0]
        exp_avgs, exp_avg_sqs, steps = (self._states(name) for name in _STATES)
        losses, derivatives = step_heads_(
            [h.detach() for h in features],
            self._pairs(),
            batch.targets,
            self.kinds.names,
            weights,
            exp_avgs,
            exp_avg_sqs,
            steps,
            lr=group["lr"],
            betas=group["betas"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            decoupled=group["decoupled_weight_decay"],
            maximize=group["maximize"],
            bias_correction=group["bias_correction"],
            ignore_index=None,  # unknown labels are masked
            masks=batch.masks,
            beta=self.kinds.betas,
        )
        if any(h.requires_grad for h in features):
            torch.autograd.backward(features, derivatives)
        return losses

    def _states(self, name: str) -> list[tuple[Tensor, Tensor | None]]:
        state_of = self.optimizer.state_of
        return [(state_of(w)[name], None if b is None else state_of(b)[name]) for w, b in self._pairs()]

    def _pairs(self) -> list[tuple[Tensor, Tensor | None]]:
        return [(layer.weight, layer.bias) for layer in self.layers]


def _linear(module: nn.Module) -> nn.Linear | None:
    """The one layer of a head; a binary head also flattens its only column."""
    if isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.Flatten):
        module = module[0]
    return module if type(module) is nn.Linear else None
