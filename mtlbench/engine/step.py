"""One training step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UnavailableError
from ..core.task import Outline
from ..ops import gramian, per_task_losses, task_losses
from ..optim.base import ONE_OBJECTIVE
from ..penalties.base import Free, Penalty
from ..weightings.base import GRADIENTS, Need, Shown, Weighting
from .batches import Batch
from .closure import Objective, evaluates_again
from .gradients import Found, TaskGradients, as_matrix
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
        self.engine, self.weighting, self.state, self.optimizer = engine, weighting, state, optimizer
        self.seen = torch.ones(len(outline.tasks), device=next(model.parameters()).device)
        self.losses = _wrap(engine, _losses_of(engine, model, outline))
        self.penalty = partial((penalty or Free()).term, model.shared, list(model.own))
        self.descend = self._search if evaluates_again(optimizer) else self._weigh_losses
        if weighting.needs & GRADIENTS:
            if evaluates_again(optimizer):
                raise UnavailableError(ONE_OBJECTIVE)
            self.descend = self._weigh_gradients
            self.gradients = TaskGradients(
                _wrap(engine, model.represent),
                _wrap(engine, _losses_from(engine, model, outline)),
                [p for p in model.shared_parameters() if p.requires_grad],
                weighting.at_representation,
                Need.CROSSED in weighting.needs,
            )

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Task losses L [T] before the update and weights lambda [T], both detached."""
        self.optimizer.zero_grad()
        losses, weights = self.descend(batch)
        if Need.LOSSES_AFTER in self.weighting.needs:
            with torch.no_grad():
                after = self.losses(batch.inputs, batch.targets, batch.masks)
            self.state = self.weighting.after_step(self._last_known(after, batch), self.state)
        return losses.detach(), weights

    def end_epoch(self) -> None:
        """Tell the weighting that an epoch is over."""
        self.state = self.weighting.after_epoch(self.state)

    def _weigh_losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """lambda from L, one backward pass through everything, and the update."""
        losses, weights = self._weighed(batch)
        losses.backward(weights)  # a vector-Jacobian product: sum_t lambda_t grad L_t in one pass
        self._penalise()
        self.optimizer.step()
        return losses, weights

    def _search(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """lambda from L, and an update that evaluates the objective as often as it likes."""
        losses, weights = self._weighed(batch)
        again = partial(self.losses, batch.inputs, batch.targets, batch.masks)
        self.optimizer.step(Objective(again, weights, self.penalty, self.optimizer))
        return losses, weights

    def _weigh_gradients(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """grad L_t of what the tasks share, lambda from them, what the weighting makes of both, and the update."""
        found = self.gradients(batch)
        self._penalise()
        matrix = None if self._combines_inside_update() else as_matrix(found.rows, found.shared)
        weights, self.state = self.weighting.weigh(self._shown(found, matrix, batch), self.state)
        if matrix is None:
            self.optimizer.step(**self._weighted_rows(found, weights))
        else:
            self.gradients.descend(found, self.weighting.combine(matrix, weights, self.state))
            self.optimizer.step()
        return found.losses, weights

    def _weighed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """L with its graph, and lambda."""
        losses = self.losses(batch.inputs, batch.targets, batch.masks)
        weights, self.state = self.weighting.weigh(Shown(self._last_known(losses.detach(), batch)), self.state)
        return losses, weights

    def _penalise(self) -> None:
        """Add rho grad R to ``.grad``."""
        penalty = self.penalty()
        if penalty is not None:
            penalty.backward()

    def _shown(self, found: Found, matrix: Tensor | None, batch: Batch) -> Shown:
        """What the weighting asked for, and no more."""
        needs, products = self.weighting.needs, None
        if Need.GRAMIAN in needs:
            if matrix is None or self.engine.choices.combination == "kernel":
                products = gramian(found.rows).to(found.losses.device)
            else:
                products = matrix @ matrix.T
        jacobian = matrix if Need.JACOBIAN in needs else None
        return Shown(self._last_known(found.losses, batch), products, jacobian, found.crossed)

    def _combines_inside_update(self) -> bool:
        """Whether the update's kernel forms sum_t lambda_t g_t, so that it never reaches memory."""
        plain = self.weighting.needs & GRADIENTS == Need.GRAMIAN and not self.weighting.at_representation
        return plain and self.engine.choices.combination == "kernel" and bool(self.gradients.parameters)

    def _weighted_rows(self, found: Found, weights: Tensor) -> dict[str, Any]:
        """The tasks' gradients of every parameter; what ``.grad`` holds, heads and penalty, is a task of weight 1."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        rows = [dict(zip(map(id, found.shared), row, strict=True)) for row in found.rows]
        gradients = [[row.get(id(p)) for p in parameters] for row in rows]
        return {
            "task_gradients": [*gradients, [p.grad for p in parameters]],
            "task_weights": torch.cat([weights, weights.new_ones(1)]),
        }

    def _last_known(self, losses: Tensor, batch: Batch) -> Tensor:
        """The losses, and for a task without a label in the batch the last one it had (1 before any)."""
        self.seen = losses if batch.masks is None else torch.where(batch.counts > 0, losses, self.seen)
        return self.seen


def _losses_of(engine: Engine, model: Model, outline: Outline) -> Callable[..., Tensor]:
    """Inputs to L [T]."""
    function, kinds = LOSSES[engine.choices.losses], [task.loss for task in outline.tasks]

    def losses(inputs: Any, targets: list[Tensor], masks: list[Tensor | None] | None) -> Tensor:
        outputs = model(inputs)
        return function([outputs[name] for name in outline.names], targets, kinds, masks=masks)

    return losses


def _losses_from(engine: Engine, model: Model, outline: Outline) -> Callable[..., Tensor]:
    """One representation per task to L [T]; that of task t reaches L_t alone."""
    function, kinds = LOSSES[engine.choices.losses], [task.loss for task in outline.tasks]

    def losses(representations: list[Any], targets: list[Tensor], masks: list[Tensor | None] | None) -> Tensor:
        outputs = [model.predict_task(name, z) for name, z in zip(outline.names, representations, strict=True)]
        return function(outputs, targets, kinds, masks=masks)

    return losses


def _wrap(engine: Engine, function: Callable[..., Any]) -> Callable[..., Any]:
    if engine.choices.wrapper != "compile":
        return function
    # Random numbers as eager draws them, so that dropout is the same under every engine.
    return torch.compile(function, fullgraph=True, options={"fallback_random": True})
