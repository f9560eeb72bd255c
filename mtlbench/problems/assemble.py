"""From arrays and a division of rows to ``Data``: standardised on the training rows, converted and masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.task import Data, Outline, Split, TaskSpec
from .splits import PARTS, TRAIN

if TYPE_CHECKING:
    from ..core.task import Array


def moments(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation over rows, float64; a deviation that is mere rounding error is replaced by 1.

    Values are first divided by the largest of them, so that their squares neither overflow nor underflow.
    """
    import numpy as np

    size = np.abs(values).max(axis=0, initial=np.finfo(np.float32).tiny)
    mean, deviation = (values / size).mean(axis=0), (values / size).std(axis=0)
    return mean * size, np.where(deviation > 1e-12, deviation * size, 1.0)


def standardise(values: Array, train: Array) -> Array:
    """(values - mean) / deviation per column, float32 [N, ...]; both fitted on the rows where ``train`` is True."""
    mean, deviation = moments(values[train])
    return ((values - mean) / deviation).astype("float32")


def assemble(
    outline: Outline,
    inputs: Array,
    targets: Mapping[str, Array],
    part: Array,
    masks: Mapping[str, Array] | None = None,
    joint: bool = False,
) -> Data:
    """``Data`` from the rows of ``inputs`` [N, ...], which ``part`` [N] assigns to the splits.

    targets  {task: class indices [N], or values [N] in the task's unit}; values of masked labels are ignored.
    masks    {task: bool [N]}, True where the label is known.
    joint    whether all (regression) tasks share one mean and deviation, fitted on all their training labels.

    Regression targets are standardised on the training rows; the outline records the scale and offset that undo it.
    """
    import numpy as np

    labelled = {name: (masks or {}).get(name, np.ones(len(part), dtype=bool)) for name in outline.names}
    fitted = {name: targets[name][labelled[name] & (part == TRAIN)] for name in outline.names}
    if joint:
        pooled = np.concatenate(list(fitted.values()))
        fitted = dict.fromkeys(outline.names, pooled)
    tasks, columns = [], {}
    for task in outline.tasks:
        spec, columns[task.name] = _column(task, targets[task.name], fitted[task.name])
        tasks.append(spec)
        columns[task.name][~labelled[task.name]] = 0
    splits = {}
    for number, name in enumerate(PARTS):
        rows = part == number
        hidden = {task: mask[rows] for task, mask in labelled.items() if not mask[rows].all()}
        splits[name] = Split(inputs[rows], {task: column[rows] for task, column in columns.items()}, hidden)
    return Data(replace(outline, tasks=tuple(tasks)), **splits)


def assemble_sets(
    outline: Outline,
    inputs: Mapping[str, Array],
    targets: Mapping[str, Array],
    parts: Mapping[str, Array],
    joint: bool = False,
) -> Data:
    """Like ``assemble``, but each task has its rows: inputs [N_t, ...], targets [N_t] and parts [N_t], by task."""
    import numpy as np

    fitted = {name: targets[name][parts[name] == TRAIN] for name in outline.names}
    if joint:
        fitted = dict.fromkeys(outline.names, np.concatenate(list(fitted.values())))
    tasks, columns = [], {}
    for task in outline.tasks:
        spec, columns[task.name] = _column(task, targets[task.name], fitted[task.name])
        tasks.append(spec)
    splits = {}
    for number, part in enumerate(PARTS):
        rows = {name: parts[name] == number for name in outline.names}
        splits[part] = Split(
            {name: inputs[name][chosen] for name, chosen in rows.items()},
            {name: columns[name][chosen] for name, chosen in rows.items()},
        )
    return Data(replace(outline, tasks=tuple(tasks)), **splits)


def _column(task: TaskSpec, values: Array, fitted: Array) -> tuple[TaskSpec, Array]:
    """The task with its fitted scale and offset, and its targets in the form that the loss expects."""
    if task.kind in ("classification", "binary"):
        return task, values.astype("int64" if task.kind == "classification" else "float32")
    offset, scale = (float(value) for value in moments(fitted))
    column = ((values - offset) / scale).astype("float32")[:, None]
    return replace(task, scale=scale, offset=offset), column
