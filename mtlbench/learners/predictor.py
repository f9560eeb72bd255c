"""How a learner without gradients is evaluated: its predictions wrapped as a network, and the resulting records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ..core.record import Record
from .base import Job
from .loops.evaluate import Evaluator

if TYPE_CHECKING:
    from ..core.task import Array

_BATCH = 4096  # rows predicted at once
Predict = Callable[[str, "Array"], "Array"]


class Predictor(nn.Module):
    """A function (task, inputs float64 [N, D]) -> outputs [N, K], wrapped as a network for the evaluator."""

    def __init__(self, job: Job, predict: Predict) -> None:
        super().__init__()
        self.tasks, self.predict = job.data.outline.only(job.tasks).tasks, predict

    def forward(self, inputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs of every task, float32, in the shapes of ``core.task``."""
        outputs = {}
        for task in self.tasks:
            features = inputs if isinstance(inputs, Tensor) else inputs[task.name]
            rows = features.flatten(1).double().cpu().numpy()
            output = self.predict(task.name, rows) if len(rows) else np.zeros((0, task.outputs))
            column = output[:, 0] if task.kind == "binary" else output
            outputs[task.name] = torch.from_numpy(column).to(features.device, torch.float32)
        return outputs


def evaluated(job: Job, predict: Predict) -> list[Record]:
    """Records of the validation split, if there is one, and of the test split, which is read last."""
    return evaluated_model(job, Predictor(job, predict), _BATCH)


def evaluated_model(job: Job, model: nn.Module, batch_size: int) -> list[Record]:
    """The same of a network, by batches of so many rows."""
    outline = job.data.outline.only(job.tasks)
    return [
        record
        for name, split in (("validation", job.data.validation), ("test", job.data.test))
        for record in Evaluator(split, outline, batch_size, job.device).records(model, name, 0)
    ]
