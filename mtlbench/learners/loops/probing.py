"""Training that measures, after each epoch, the tasks' gradients with respect to the shared parameters.

Shape suffixes: T tasks, P parameters.
"""

from __future__ import annotations

from itertools import islice, permutations

import torch
from torch import Tensor

from ...core.record import COSINE, LOOKAHEAD_AFFINITY, Record
from ...engine.batches import Batch
from ...engine.losses import Kinds, reference
from ..base import Job
from .training import Training


class Probing(Training):
    """A training run that also records cosines and lookahead affinities of the shared gradients."""

    def __init__(self, job: Job, batches: int) -> None:
        super().__init__(job)
        self.probed = batches
        self.shared = [parameter for parameter in self.model.shared_parameters() if parameter.requires_grad]

    def epoch(self, epoch: int) -> None:
        """One pass over the training split, and then the measurement."""
        super().epoch(epoch)
        names = self.outline.names
        if not self.shared or len(names) < 2:
            return
        self.model.eval()  # dropout would add noise, and draw from the random numbers of training
        with torch.backends.cudnn.flags(
            enabled=False
        ):  # cuDNN's recurrent layers have no backward pass in evaluation mode
            measured = [self._measure(batch) for batch in islice(self.batches.epoch(epoch + 1), self.probed)]
        cosine_TT, affinity_TT = torch.stack(measured).mean(0).tolist()
        for i, j in permutations(range(len(names)), 2):
            for metric, value in ((COSINE, cosine_TT[i][j]), (LOOKAHEAD_AFFINITY, affinity_TT[i][j])):
                self.records.append(Record(metric, value, "train", names[i], step=epoch, other=names[j]))

    def _measure(self, batch: Batch) -> Tensor:
        """Cosines and affinities [2, T, T] on one batch; 0 where a task has no label or no gradient on it."""
        losses = self._losses(batch)
        rows = []
        for loss in losses.unbind():
            parts = torch.autograd.grad(loss, self.shared, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([part.flatten() for part in parts]))
        gradients_TP, before_T = torch.stack(rows), losses.detach()
        unit_TP = torch.nn.functional.normalize(gradients_TP, dim=1)
        after_TT = torch.stack([self._after(batch, gradient) for gradient in gradients_TP])
        affinity_TT = torch.where(before_T > 0, 1 - after_TT / before_T, 0)
        return torch.stack([unit_TP @ unit_TP.T, affinity_TT])

    def _losses(self, batch: Batch) -> Tensor:
        """The task losses [T], whatever the engine."""
        outputs, tasks = self.model(batch.inputs), self.outline.tasks
        return reference([outputs[task.name] for task in tasks], batch.targets, Kinds.of(tasks), batch.masks)

    @torch.no_grad()
    def _after(self, batch: Batch, gradient_P: Tensor) -> Tensor:
        """The losses [T] after a gradient step of the shared parameters, which are then restored."""
        before = [parameter.clone() for parameter in self.shared]
        pieces = torch.split(gradient_P, [parameter.numel() for parameter in self.shared])
        for parameter, piece in zip(self.shared, pieces, strict=True):
            parameter.sub_(self.optimizer.param_groups[0]["lr"] * piece.view_as(parameter))
        after = self._losses(batch)
        for parameter, old in zip(self.shared, before, strict=True):
            parameter.copy_(old)
        return after
