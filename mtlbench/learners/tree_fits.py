"""Trees fitted task by task, and their predictions in the shapes of ``core.task``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ..core.record import Record
from ..core.task import TaskSpec
from ..measure.clock import now
from .base import Job
from .predictor import evaluated
from .rows import Rows, as_outputs, labelled_rows, read_rows

if TYPE_CHECKING:
    from ..core.task import Array
    from .trees import Trees

Predict = Callable[["Array"], "Array"]  # inputs [N, D] to outputs [N, K]


def fitted(learner: Trees, job: Job) -> list[Record]:
    """Fit, evaluate, report. Raises MtlbenchError for a task without labels, TimedOut."""
    start, outline = now(job.device), job.data.outline.only(job.tasks)
    job.check_deadline("before the first task")
    train = read_rows(job.data.train, outline, 1, job.seed)
    validation = labelled_rows(job.data.validation, outline) if job.data.validation.size else {}
    with threadpool_limits(torch.get_num_threads(), user_api="openmp"):  # the trial's, for scikit-learn too
        fits = {
            task.name: _fit(learner, job, task, train[task.name], validation.get(task.name)) for task in outline.tasks
        }
        seconds = now(job.device) - start
        predicted = evaluated(job, lambda task, x: fits[task][0](x))
    return [
        *predicted,
        Record("train_seconds", seconds, unit="s", higher_is_better=False),
        Record("parameters", sum(leaves for _, leaves in fits.values()), higher_is_better=False),
    ]


def _fit(learner: Trees, job: Job, task: TaskSpec, train: Rows, validation: Rows | None) -> tuple[Predict, int]:
    """A function from inputs to the outputs of one task [N, K], and the number of leaves behind it."""
    job.check_deadline(f"before the trees of {task.name}")
    if validation is not None and not len(validation.x):
        validation = None
    if task.kind == "regression":
        return _values(learner, job, task, train, validation)
    classes, least = np.unique(train.y).astype("int64"), learner.least
    if len(classes) < 2:
        return lambda x: as_outputs(task, _spread(task, np.ones((len(x), 1)), classes), least), 1
    model = learner.classify(train, validation, job.seed)
    seen = model.classes_.astype("int64")
    return lambda x: as_outputs(task, _spread(task, model.predict_proba(x), seen), least), learner.size(model)


def _values(learner: Trees, job: Job, task: TaskSpec, train: Rows, validation: Rows | None) -> tuple[Predict, int]:
    models = []
    for column in range(task.outputs):
        job.check_deadline(f"before the trees of value {column + 1} of {task.name}")
        held = None if validation is None else _column(validation, column)
        models.append(learner.regress(_column(train, column), held, task.loss, job.seed))
    return lambda x: np.stack([model.predict(x) for model in models], axis=1), sum(map(learner.size, models))


def _column(rows: Rows, column: int) -> Rows:
    return Rows(rows.x, rows.y.reshape(len(rows.y), -1)[:, column].astype("float64"), rows.fold)


def _spread(task: TaskSpec, chances: Array, classes: Array) -> Array:
    """Probabilities of the classes seen in training, moved to their columns among all; of class 1 for a binary task."""
    spread = np.zeros((len(chances), max(task.outputs, 2)))
    spread[:, classes] = chances
    return spread[:, 1:] if task.kind == "binary" else spread
