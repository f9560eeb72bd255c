"""The floor: one prediction for all rows, which anything that learns from the inputs has to beat."""

from __future__ import annotations

from ..core.record import Record
from ..core.task import Outline
from ..measure.clock import now
from .base import Job, Learner


class Constant(Learner):
    """Predicts the same for every row and position: c_t = argmin_c of the training loss sum_i l_t(c, y_i).

    That is the mean for mse, the median for l1, the value between them that the threshold of huber and smooth_l1 asks
    for, the mean direction for cosine, column by column where a task has several. Classes are predicted with their
    training frequencies, one row of each class added (Laplace's rule of succession), so that a class without training
    rows has a finite loss: accuracy is that of the most frequent class, AUC is 50 %. A task without any training label
    gets 0, or equal chances. All tasks are fitted apart, in one pass over the training split; nothing is random.
    """

    random = False

    @classmethod
    def uses(cls, part: str) -> bool:
        """None of the parts that gradient training consists of."""
        return False

    def beside(self, outline: Outline) -> bool:
        """On every problem of data."""
        return True

    def run(self, job: Job) -> list[Record]:
        """Count, evaluate, report. Raises TimedOut."""
        from .constant_fits import Same, batch_size, fit_of, labels_of, read  # so that planning imports no torch
        from .predictor import evaluated_model

        start, outline = now(job.device), job.data.outline.only(job.tasks)
        fits = {task.name: fit_of(task) for task in outline.tasks}
        size = batch_size(outline)
        job.check_deadline("before the first row was read")
        for part in read(job.data.train.only(outline.names), size):
            job.check_deadline("while reading the training rows")
            for task in outline.tasks:
                fits[task.name].add(labels_of(task, part))
        constants = {name: fit.best() for name, fit in fits.items()}
        seconds = now(job.device) - start
        return [
            *evaluated_model(job, Same(outline, constants), size),
            Record("train_seconds", seconds, unit="s", higher_is_better=False),
            Record("parameters", sum(map(len, constants.values())), higher_is_better=False),
        ]
