"""One training step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UnavailableError
from ..core.task import Outline
from ..ops import per_task_losses, task_losses
from ..penalties.base import Free, Penalty
from ..weightings.base import Need, Weighting
from .batches import Batch
from .closure import Objective, evaluates_again
from .model import Model
from .table import Engine

# Outputs, targets, kinds and masks to losses [T]. Unknown labels are masked, so that no target means "no label".
LOSSES: dict[str, Callable[..., Tensor]] = {
    "reference": partial(per_task_losses, ignore_index=None),
    "kernel": lambda *args, **options: task_losses(*args, ignore_index=None, **options)[1],
}


class Step:
    """theta <- update(theta, sum_t lambda_t grad L_t(theta) + rho grad R(theta)), lambda from the weighting, rho R from
    the penalty. No value leaves the device, unless the optimizer searches along a line.
    """

    def __init__(
        self,
        engine: Engine,
        model: Model,
        outline: Outline,
        weighting: Weighting,
        state: Any,
        optimizer: Any,
        penalty: Penalty | None = None,
    ) -> None:
        if weighting.needs & (Need.GRAMIAN | Need.JACOBIAN):
            raise UnavailableError(f"{type(weighting).__name__} needs the tasks' gradients, and no engine gives them")
        self.engine, self.weighting, self.state, self.optimizer = engine, weighting, state, optimizer
        self.losses = _wrap(engine, _losses_of(engine, model, outline))
        self.penalty = partial((penalty or Free()).term, model.shared, list(model.own))
        self.searches = evaluates_again(optimizer)
        self.seen = torch.ones(len(outline.tasks), device=next(model.parameters()).device)

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Task losses L [T] before the update and weights lambda [T], both detached."""
        self.optimizer.zero_grad()
        losses = self.losses(batch.inputs, batch.targets, batch.masks)
        weights, self.state = self.weighting.weigh(self._shown(losses, batch), self.state)
        if self.searches:
            again = partial(self.losses, batch.inputs, batch.targets, batch.masks)
            self.optimizer.step(Objective(again, weights, self.penalty, self.optimizer))
        else:
            losses.backward(weights)  # a vector-Jacobian product: sum_t lambda_t grad L_t in one pass
            penalty = self.penalty()
            if penalty is not None:
                penalty.backward()  # adds rho grad R
            self.optimizer.step()
        if Need.LOSSES_AFTER in self.weighting.needs:
            with torch.no_grad():
                after = self.losses(batch.inputs, batch.targets, batch.masks)
            self.state = self.weighting.after_step(self._shown(after, batch), self.state)
        return losses.detach(), weights

    def end_epoch(self) -> None:
        """Tell the weighting that an epoch is over."""
        self.state = self.weighting.after_epoch(self.state)

    def _shown(self, losses: Tensor, batch: Batch) -> Tensor:
        """What the weighting sees: for a task without a label in the batch, the last loss it had (1 before any)."""
        shown = losses.detach()
        self.seen = shown if batch.masks is None else torch.where(batch.counts > 0, shown, self.seen)
        return self.seen


def _losses_of(engine: Engine, model: Model, outline: Outline) -> Callable[..., Tensor]:
    function, kinds = LOSSES[engine.choices.losses], [task.loss for task in outline.tasks]

    def losses(inputs: Any, targets: list[Tensor], masks: list[Tensor | None] | None) -> Tensor:
        outputs = model(inputs)
        return function([outputs[name] for name in outline.names], targets, kinds, masks=masks)

    return losses


def _wrap(engine: Engine, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    if engine.choices.wrapper != "compile":
        return function
    # Random numbers as eager draws them, so that dropout is the same under every engine.
    return torch.compile(function, fullgraph=True, options={"fallback_random": True})
