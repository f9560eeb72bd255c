"""What learners of trees share: one model a task from flat rows, its probabilities or values, and the records."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..core.record import Record
from ..core.task import Outline, TaskSpec
from ..measure.clock import now
from .base import Job, Learner
from .rows import Rows, as_outputs, labelled_rows, read_rows

if TYPE_CHECKING:
    from ..core.task import Array

Predict = Callable[["Array"], "Array"]  # inputs [N, D] to outputs [N, K]


class Trees(Learner):
    """Trees by scikit-learn, every task apart and every regressed value apart; classes by their probabilities.

    Inputs are one row of numbers each, images their pixels in line.
    """

    least: ClassVar[float]  # the least probability of a class, for its logarithm

    @classmethod
    def uses(cls, part: str) -> bool:
        """None of the parts that gradient training consists of."""
        return False

    def check(self, outline: Outline) -> Iterator[str]:
        """The reasons why the problem cannot be learned, as sentences."""
        if outline.vocabulary or any(task.positions for task in outline.tasks):
            what = "token ids" if outline.vocabulary else "labels at every position"
            yield f"expected rows of numbers with one label each, got {what}; use a gradient learner"
        without = [name for name in outline.names if outline.labelled.get(name) == 0]
        if without:
            yield f"expected labelled training rows of every task, got none of {', '.join(without)}"

    @abstractmethod
    def classify(self, train: Rows, validation: Rows | None, seed: int) -> Any:
        """A fitted classifier of scikit-learn, of the two or more classes in ``train``."""

    @abstractmethod
    def regress(self, train: Rows, validation: Rows | None, loss: str, seed: int) -> Any:
        """A fitted regressor of scikit-learn of values [N], whose training loss is one of ``core.losses``."""

    @abstractmethod
    def size(self, model: Any) -> int:
        """How many leaves a fitted model has."""

    def run(self, job: Job) -> list[Record]:
        """Fit, evaluate, report. Raises MtlbenchError for a task without labels, TimedOut."""
        import torch
        from threadpoolctl import threadpool_limits

        from .predictor import evaluated

        start, outline = now(job.device), job.data.outline.only(job.tasks)
        job.check_deadline("before the first task")
        train = read_rows(job.data.train, outline, 1, job.seed)
        validation = labelled_rows(job.data.validation, outline) if job.data.validation.size else {}
        with threadpool_limits(torch.get_num_threads(), user_api="openmp"):  # the trial's, for scikit-learn too
            fits = {
                task.name: self._fit(job, task, train[task.name], validation.get(task.name)) for task in outline.tasks
            }
            seconds = now(job.device) - start
            predicted = evaluated(job, lambda task, x: fits[task][0](x))
        return [
            *predicted,
            Record("train_seconds", seconds, unit="s", higher_is_better=False),
            Record("parameters", sum(leaves for _, leaves in fits.values()), higher_is_better=False),
        ]

    def _fit(self, job: Job, task: TaskSpec, train: Rows, validation: Rows | None) -> tuple[Predict, int]:
        """A function from inputs to the outputs of one task [N, K], and the number of leaves behind it."""
        job.check_deadline(f"before the trees of {task.name}")
        if validation is not None and not len(validation.x):
            validation = None
        if task.kind == "regression":
            return self._values(job, task, train, validation)
        classes = np.unique(train.y).astype("int64")
        if len(classes) < 2:
            return lambda x: as_outputs(task, _spread(task, np.ones((len(x), 1)), classes), self.least), 1
        model = self.classify(train, validation, job.seed)
        seen = model.classes_.astype("int64")
        return lambda x: as_outputs(task, _spread(task, model.predict_proba(x), seen), self.least), self.size(model)

    def _values(self, job: Job, task: TaskSpec, train: Rows, validation: Rows | None) -> tuple[Predict, int]:
        models = []
        for column in range(task.outputs):
            job.check_deadline(f"before the trees of value {column + 1} of {task.name}")
            held = None if validation is None else _column(validation, column)
            models.append(self.regress(_column(train, column), held, task.loss, job.seed))
        return lambda x: np.stack([model.predict(x) for model in models], axis=1), sum(map(self.size, models))


def _column(rows: Rows, column: int) -> Rows:
    return Rows(rows.x, rows.y.reshape(len(rows.y), -1)[:, column].astype("float64"), rows.fold)


def _spread(task: TaskSpec, chances: Array, classes: Array) -> Array:
    """Probabilities of the classes seen in training, moved to their columns among all; of class 1 for a binary task."""
    spread = np.zeros((len(chances), max(task.outputs, 2)))
    spread[:, classes] = chances
    return spread[:, 1:] if task.kind == "binary" else spread
