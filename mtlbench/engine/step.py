"""One training step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..core.settings import Heads
from ..core.task import Outline
from ..ops import gramian
from ..ops.gramian import dot_products
from ..penalties.base import Free, Penalty
from ..weightings.base import GRADIENTS, Need, Shown, Weighting
from .batches import Batch
from .buffers import Buffers
from .closure import Objective, evaluates_again
from .common_batch_norm import CommonBatchNorm
from .distributed import World
from .gradients import SharedGradients, TaskGradients, as_matrix
from .heads import LinearHeads
from .losses import losses_of_inputs, losses_of_representations
from .model import Model
from .own_parameters import OwnParameters
from .table import Engine

Update = Mapping[str, Any]  # arguments of the optimizer's step, besides the parameters' .grad


class Step:
    """theta <- update(theta, sum_t lambda_t grad L_t(theta) + rho grad R(theta)), lambda from the weighting, rho R from
    the penalty; for the parameters of one task alone, h_t by the rule for the heads is in the place of lambda_t. No
    value leaves the device, unless the optimizer searches along a line. Whatever the number of forward passes, running
    statistics are updated once. A ``world`` of several ranks takes the step together (``engine.distributed``); each is
    given the whole batch.
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
        heads: Heads | None = None,
        world: World | None = None,
    ) -> None:
        self.world = world or World()
        self.engine, self.weighting, self.state, self.optimizer = engine, weighting, state, optimizer
        self.shared = [p for p in model.shared_parameters() if p.requires_grad]
        self.terms = (partial((penalty or Free()).term, *model.trunk_and_heads()), model.penalty)
        self.searches = evaluates_again(optimizer)
        self.seen = torch.ones(len(outline.tasks), device=next(model.parameters()).device)
        self.parameters = list(model.parameters())
        self.losses = self._wrapped(model, losses_of_inputs(engine, model, outline))
        self.buffers = Buffers(model)
        self.own = OwnParameters(model, weighting, heads or Heads.from_plain({}), self.world)
        self.backward = self._weigh_losses
        by_gradients = bool(weighting.needs & GRADIENTS)
        if by_gradients or not self.own.follow:
            self.backward = self._weigh_gradients if by_gradients else self._weigh_losses_of_trunk
            self.gradients = TaskGradients(
                self._wrapped(model, model.represent),
                self._wrapped(model, losses_of_representations(engine, model, outline)),
                self.shared,
                weighting.at_representation or not by_gradients,
                self.buffers if Need.CROSSED in weighting.needs else None,
                self.world,
            )
        elif self.world.size == 1 and self.penalty() is None:  # each rank would update heads by its own rows alone
            linear = LinearHeads.of(engine, model, outline, weighting, optimizer)
            self.backward = partial(self._step_heads, linear) if linear else self._weigh_losses

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Task losses L [T] before the update and weights lambda [T], both detached."""
        self.optimizer.zero_grad()
        losses, weights, update = self.backward(batch)
        self.optimizer.step(**update)
        if Need.LOSSES_AFTER in self.weighting.needs:
            with torch.no_grad(), self.buffers.kept():
                after = self.world.total(self._losses_here(batch))
            self.state = self.weighting.after_step(self._latest_losses(after, batch), self.state)
        return losses, weights

    def end_epoch(self) -> None:
        """Tell the weighting that an epoch is over."""
        self.state = self.weighting.after_epoch(self.state)

    def penalty(self) -> Tensor | None:
        """The part of the objective besides the task losses: the suite's penalty and the architecture's."""
        values = [value for term in self.terms if (value := term()) is not None]
        return torch.stack(values).sum() if values else None

    def _losses_here(self, batch: Batch) -> Tensor:
        """What this rank's rows add to L [T]."""
        part, share = self.world.part(batch)
        losses: Tensor = self.losses(part.inputs, part.targets, part.masks)
        return losses if share is None else losses * share.to(losses.dtype)

    def _weigh_losses(self, batch: Batch) -> tuple[Tensor, Tensor, Update]:
        """lambda from L, then one backward pass."""
        here = self._losses_here(batch)
        losses = self.world.total(here.detach())
        weights, self.state = self.weighting.weigh(Shown(self._latest_losses(losses, batch)), self.state)
        if self.searches:
            again = partial(self.losses, batch.inputs, batch.targets, batch.masks)
            objective = Objective(again, weights, self.penalty, self.optimizer, self.buffers)
            return losses, weights, {"closure": objective}
        here.backward(weights)  # a vector-Jacobian product: sum_t lambda_t grad L_t in one pass
        self.world.sum_gradients(self.parameters)
        self._descend_penalty()
        return losses, weights, {}

    def _weigh_losses_of_trunk(self, batch: Batch) -> tuple[Tensor, Tensor, Update]:
        """One backward pass through the heads, lambda from L, then one through the trunk, weighted with lambda."""
        gradients = self.gradients(batch)
        weights, self.state = self.weighting.weigh(Shown(self._latest_losses(gradients.losses, batch)), self.state)
        self.own.scale_(gradients.losses, weights)
        self.gradients.descend_weighted(gradients, weights)
        self._descend_penalty()
        return gradients.losses, weights, {}

    def _step_heads(self, heads: LinearHeads, batch: Batch) -> tuple[Tensor, Tensor, Update]:
        """lambda before L; the heads in one launch, then one backward pass through the modules before them."""
        weights, self.state = self.weighting.weigh(Shown(self.seen), self.state)
        return heads(batch, weights), weights, {}

    def _weigh_gradients(self, batch: Batch) -> tuple[Tensor, Tensor, Update]:
        """grad L_t with respect to what the tasks share, lambda from them, then the weighting's combination of both."""
        gradients = self.gradients(batch)
        matrix = (
            None
            if self._combines_inside_update()
            else as_matrix(gradients.rows, gradients.shared, gradients.losses.device)
        )
        weights, self.state = self.weighting.weigh(self._shown(gradients, matrix, batch), self.state)
        self.own.scale_(gradients.losses, weights)
        if matrix is not None:
            self.gradients.descend(gradients, self.weighting.combine(matrix, weights, self.state))
        self._descend_penalty()
        return gradients.losses, weights, {} if matrix is not None else self._weighted_rows(gradients, weights)

    def _descend_penalty(self) -> None:
        """Add rho grad R to every ``.grad``."""
        penalty = self.penalty()
        if penalty is not None:
            penalty.backward()

    def _shown(self, gradients: SharedGradients, matrix: Tensor | None, batch: Batch) -> Shown:
        """What the weighting needs, and no more."""
        needs, products = self.weighting.needs, None
        if Need.GRAMIAN in needs:
            if matrix is None or self.engine.recipe.combination == "kernel":
                products = gramian(gradients.rows).to(gradients.losses.device)
            else:
                products = dot_products(matrix, matrix)
            if self.weighting.at_representation:  # each rank has the coordinates of its own rows
                products = self.world.total(products)
        jacobian = matrix if Need.JACOBIAN in needs else None
        return Shown(self._latest_losses(gradients.losses, batch), products, jacobian, gradients.crossed)

    def _combines_inside_update(self) -> bool:
        """Whether the update's kernel forms sum_t lambda_t g_t, so that it never reaches memory."""
        plain = self.weighting.needs & GRADIENTS == Need.GRAMIAN and not self.weighting.at_representation
        return plain and self.engine.recipe.combination == "kernel" and bool(self.shared)

    def _weighted_rows(self, of_tasks: SharedGradients, weights: Tensor) -> Update:
        """The tasks' gradients of every parameter; what is in ``.grad`` (the heads' own, a penalty's) is one more task
        of weight 1.
        """
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        rows = [dict(zip(map(id, self.shared), row, strict=True)) for row in of_tasks.rows]
        gradients = [[row.get(id(p)) for p in parameters] for row in rows]
        return {
            "task_gradients": [*gradients, [p.grad for p in parameters]],
            "task_weights": torch.cat([weights, weights.new_ones(1)]),
        }

    def _wrapped(self, model: Model, function: Callable[..., Any]) -> Callable[..., Any]:
        if self.engine.recipe.wrapper == "compile":
            # torch runs recurrent layers eagerly (it would unroll their steps and compile for minutes), and what talks
            # to other ranks. Nothing else may break the graph. Random numbers are drawn as in eager mode, so that
            # dropout is the same under every engine.
            whole = not any(isinstance(module, nn.RNNBase | CommonBatchNorm) for module in model.modules())
            function = torch.compile(function, fullgraph=whole, options={"fallback_random": True})
        return self.world.drawing(function)

    def _latest_losses(self, losses: Tensor, batch: Batch) -> Tensor:
        """The losses; for a task without a label in the batch, its last one (1 before it has had any)."""
        self.seen = losses if batch.masks is None else torch.where(batch.counts > 0, losses, self.seen)
        return self.seen
