"""The gradients of every task, from a forward pass that is cut at the shared representation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.utils import _pytree as tree  # a representation may be any nesting of tensors

from ..ops.gramian import dot_products
from .batches import Batch, labels
from .buffers import Buffers
from .distributed import Row, World


class Cut(NamedTuple):
    """A forward pass whose heads have been differentiated, and whose trunk has not."""

    losses: Tensor  # of L [T] what the differentiated rows add, detached
    representation: list[Tensor]  # the tensors of z, with their graph
    cotangents: list[Row]  # [t][k] = dL_t / dz_k


class SharedGradients(NamedTuple):
    """The tasks' gradients with respect to what they share."""

    losses: Tensor  # L [T], detached
    rows: list[Row]  # [t][i], task t's gradient of the i-th shared tensor
    shared: Sequence[Tensor]  # those tensors: parameters, or the representation with its graph
    crossed: Tensor | None = None  # J_1 J_2^T [T, T] of the two halves of the batch


class TaskGradients:
    """grad L_t with respect to the shared parameters, or the shared representation, for every task.

    One pass differentiates the heads of all tasks, because each task gets a copy of the representation (which takes no
    memory); the trunk then needs one pass per task for its parameters' gradients, or one in all if the weights come
    from gradients with respect to the representation. Afterwards, ``.grad`` of task-specific parameters holds grad L_t.
    """

    def __init__(
        self,
        represent: Callable[..., Any],
        losses_from: Callable[..., Tensor],
        parameters: Sequence[Parameter],
        at_representation: bool,
        halves: Buffers | None = None,
        world: World | None = None,
    ) -> None:
        self.represent, self.losses_from, self.parameters = represent, losses_from, parameters
        self.at_representation, self.halves, self.world = at_representation, halves, world or World()

    def __call__(self, batch: Batch) -> SharedGradients:
        """The gradients on a batch."""
        if self.halves:
            return self._of_halves(batch, self.halves)
        cut = self._cut(batch)
        losses = self.world.total(cut.losses)
        if self.at_representation:
            return SharedGradients(losses, cut.cotangents, cut.representation)
        return SharedGradients(losses, self._through_the_trunk(cut), self.parameters)

    def descend(self, gradients: SharedGradients, direction: Tensor) -> None:
        """Add a direction [n] of the shared part to the ``.grad`` of the shared parameters."""
        pieces = as_tensors(direction, gradients.shared)
        if self.at_representation:
            torch.autograd.backward(list(gradients.shared), pieces)
            self.world.sum_gradients(self.parameters)
            return
        for parameter, piece in zip(self.parameters, pieces, strict=True):
            parameter.grad = piece if parameter.grad is None else parameter.grad + piece

    def descend_weighted(self, gradients: SharedGradients, weights: Tensor) -> None:
        """Add sum_t lambda_t grad L_t to the ``.grad`` of the shared parameters, from gradients at the representation,
        without forming a matrix of these.
        """
        columns = [
            [weight * piece for weight, piece in zip(weights.unbind(), column, strict=True) if piece is not None]
            for column in zip(*gradients.rows, strict=True)
        ]
        reached = [(z, column) for z, column in zip(gradients.shared, columns, strict=True) if column]
        if reached:
            torch.autograd.backward([z for z, _ in reached], [torch.stack(column).sum(0) for _, column in reached])
        self.world.sum_gradients(self.parameters)

    def _cut(self, batch: Batch, of_task: Tensor | None = None) -> Cut:
        """What this rank adds to the task losses of a batch, times ``of_task`` [T], and to their gradients."""
        batch, share = self.world.part(batch)
        if of_task is not None:
            share = of_task if share is None else share * of_task
        tensors, form = tree.tree_flatten(self.represent(batch.inputs))
        reached = [k for k, tensor in enumerate(tensors) if isinstance(tensor, Tensor) and tensor.requires_grad]
        copies = [list(tensors) for _ in batch.targets]
        for copy in copies:
            for k in reached:
                copy[k] = tensors[k].detach().requires_grad_()
        losses = self.losses_from([tree.tree_unflatten(copy, form) for copy in copies], batch.targets, batch.masks)
        if share is not None:
            losses = losses * share.to(losses.dtype)
        losses.backward(torch.ones_like(losses))
        cotangents = [[copy[k].grad for k in reached] for copy in copies]
        return Cut(losses.detach(), [tensors[k] for k in reached], cotangents)

    def _through_the_trunk(self, cut: Cut) -> list[Row]:
        rows: list[Row] = []
        for t, cotangent in enumerate(cut.cotangents):
            pairs = [(z, c) for z, c in zip(cut.representation, cotangent, strict=True) if c is not None]
            if not pairs or not self.parameters:
                rows.append([None] * len(self.parameters))
                continue
            outputs, grads = zip(*pairs, strict=True)
            keep = t + 1 < len(cut.cotangents)
            rows.append([*torch.autograd.grad(outputs, self.parameters, grads, retain_graph=keep, allow_unused=True)])
        return self.world.sum_rows(rows, self.parameters)

    def _of_halves(self, batch: Batch, buffers: Buffers) -> SharedGradients:
        """The whole batch's gradients, as the sum over its halves weighted by each half's share of a task's labels, for
        heads as well. J_1 and J_2 are those of the halves: a task without a label in a half has gradient 0 there.
        """
        halves = [_every_other(batch, first) for first in (0, 1)]
        counts_2T = torch.stack([labels(half) for half in halves])
        shares_2T = counts_2T / counts_2T.sum(0).clamp(min=1)
        cuts = buffers.averaged([partial(self._cut, *part) for part in zip(halves, shares_2T, strict=True)])
        device = batch.counts.device
        first, second = (as_matrix(self._through_the_trunk(cut), self.parameters, device) for cut in cuts)
        mean = [as_tensors(row, self.parameters) for row in first + second]
        losses = self.world.total(cuts[0].losses + cuts[1].losses)
        alone = [part / share.clamp(min=1e-12)[:, None] for part, share in zip((first, second), shares_2T, strict=True)]
        return SharedGradients(losses, [[*row] for row in mean], self.parameters, dot_products(*alone))


def as_matrix(rows: Sequence[Row], like: Sequence[Tensor], device: torch.device) -> Tensor:
    """J [T, n]: each row's tensors one after another, zeros where a task does not reach."""
    if not like:
        return torch.zeros(len(rows), 0, device=device)
    full = [[torch.zeros_like(p) if g is None else g for g, p in zip(row, like, strict=True)] for row in rows]
    return torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in full])


def as_tensors(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """A vector [n] in the shapes that ``as_matrix`` laid one after another."""
    pieces = torch.split(vector, [p.numel() for p in like])
    return [piece.view(p.shape) for piece, p in zip(pieces, like, strict=True)]


def _every_other(batch: Batch, first: int) -> Batch:
    """Half of each task's rows, so that no order of rows divides a batch by kind; a single row is in both halves."""

    def take(rows: Tensor) -> Tensor:
        return rows[first::2] if len(rows) > 1 else rows

    inputs = {n: take(x) for n, x in batch.inputs.items()} if isinstance(batch.inputs, dict) else take(batch.inputs)
    masks = None if batch.masks is None else [None if mask is None else take(mask) for mask in batch.masks]
    return batch._replace(inputs=inputs, targets=[take(target) for target in batch.targets], masks=masks)
