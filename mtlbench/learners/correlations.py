"""A learned covariance of tasks as records, however it was learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.record import CORRELATION, Record
from ..core.task import TaskSpec

if TYPE_CHECKING:
    from ..core.task import Array


def correlations(tasks: Sequence[TaskSpec], covariance_CC: Array) -> Iterator[Record]:
    """The correlation of every unordered pair of tasks, from the covariance of all outputs in task order [C, C].

    Tasks with several outputs are compared output by output: tr S_st / sqrt(tr S_ss tr S_tt), where S_st is the block
    of rows s and columns t. Tasks with different numbers of outputs have no correlation.
    """
    ends = np.cumsum([task.outputs for task in tasks])
    columns = [slice(end - task.outputs, end) for task, end in zip(tasks, ends, strict=True)]
    variances = np.array([np.trace(covariance_CC[part, part]) for part in columns], dtype=float)
    scale = np.sqrt(np.maximum(variances, 1e-300))
    for i, task in enumerate(tasks):
        for j in range(i + 1, len(tasks)):
            if tasks[j].outputs == task.outputs:
                common = np.trace(covariance_CC[columns[i], columns[j]]) / (scale[i] * scale[j])
                value = round(float(np.clip(common, -1, 1)), 4)
                yield Record(CORRELATION, value, "train", task.name, "1", other=tasks[j].name)
