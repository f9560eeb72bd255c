"""What linear learners share: reading the rows, choosing the penalties, and the records."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from ...core.record import Record
from ...core.task import Outline, TaskSpec
from ...measure.clock import now
from ..base import Job, Learner
from ..correlations import correlations
from ..rows import Rows, as_outputs, read_rows
from .statistics import Scale, Statistics, by_fold

if TYPE_CHECKING:
    from ...core.task import Array

MOST_NUMBERS = 20_000_000  # of the statistics of one fold: 160 MB
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Candidates = Annotated[tuple[Positive, ...], Field(min_length=1)]
Shares = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]
Parameters = Mapping[str, float]


@dataclass(frozen=True)
class Fit:
    """Weights [C, D] of all columns, a learned covariance [C, C] of columns, and the number of fitted parameters."""

    weights: Array
    covariance: Array | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class LinearModel:
    """The linear functions of some tasks, and how their penalties were chosen."""

    tasks: tuple[TaskSpec, ...]
    scale: Scale
    chosen: Parameters
    errors: float  # sum of squared errors on held-out rows, all columns together
    fit: Fit
    constant: float

    def predict(self, x: Array) -> dict[str, Array]:
        """Outputs [N, K] of every task."""
        design = self.scale(x)
        design[:, -1] *= self.constant
        ends = np.cumsum([task.outputs for task in self.tasks])[:-1]
        parts = np.split(design @ self.fit.weights.T, ends, axis=1)
        return {task.name: as_outputs(task, part) for task, part in zip(self.tasks, parts, strict=True)}


class LinearLearner(Learner):
    """Linear functions of all tasks, fitted together by least squares under a penalty that relates their weights.

    Features are standardised on the training rows of all tasks together and followed by a constant feature, whose
    weight is a task's offset. Every output of every task is one column: values as they are, classes as indicators (so
    that a column estimates a probability). Penalties are chosen by K-fold cross-validation on the training rows, by the
    mean squared error over all held-out rows; the model is then refitted on all training rows.

    ``searched`` names the fields that list candidates; a candidate of ``offset`` is the value of the constant feature.
    """

    @classmethod
    def uses(cls, part: str) -> bool:
        """None of the parts that gradient training consists of."""
        return False

    searched: ClassVar[tuple[str, ...]] = ()

    folds: int = Field(5, ge=2, le=100, description="folds of the cross-validation that chooses the penalties")

    @abstractmethod
    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """The weights under the penalties in ``parameters``, which holds one candidate of every searched field."""

    def groups(self, tasks: tuple[TaskSpec, ...]) -> Iterable[tuple[TaskSpec, ...]]:
        """Tasks that are fitted together: all of them."""
        return (tasks,)

    def check(self, outline: Outline) -> Iterator[str]:
        """The reasons why the problem cannot be learned, as sentences."""
        tokens = bool(outline.vocabulary)
        if tokens or any(task.positions for task in outline.tasks):
            what = "token ids" if tokens else "labels at every position"
            yield f"expected rows of numbers with one label each, got {what}; use a gradient learner"
            return
        for group in self.groups(outline.tasks):
            yield from self._check_group(outline.only(tuple(task.name for task in group)))

    def _check_group(self, outline: Outline) -> Iterator[str]:
        shape = outline.input_shape
        widths = {prod(one) for one in (shape.values() if isinstance(shape, Mapping) else (shape,))}
        if len(widths) > 1:
            yield f"expected as many features in every task, got {min(widths)} to {max(widths)}; use a ridge per task"
        size = sum(task.outputs for task in outline.tasks) * (max(widths) + 1) ** 2
        if size > MOST_NUMBERS:
            yield (
                f"expected outputs x features² of at most {MOST_NUMBERS:,}, got {size:,}: use fewer features, or a "
                "gradient learner"
            )

    def run(self, job: Job) -> list[Record]:
        """Choose, fit, evaluate, report."""
        from ..predictor import evaluated  # so that planning does not import torch

        start, outline = now(job.device), job.data.outline.only(job.tasks)
        rows = read_rows(job.data.train, outline, self.folds, job.seed)
        models = [self._learn(job, rows, group) for group in self.groups(outline.tasks)]
        seconds = now(job.device) - start
        by_task = {task.name: model for model in models for task in model.tasks}
        predicted = evaluated(job, lambda task, x: by_task[task].predict(x)[task])
        return [*_findings(models, rows), *predicted, *_totals(models, seconds)]

    def _learn(self, job: Job, rows: Mapping[str, Rows], tasks: tuple[TaskSpec, ...]) -> LinearModel:
        scale = Scale.of([rows[task.name] for task in tasks])
        parts = by_fold(rows, tasks, scale, self.folds)
        whole = sum(parts[1:], parts[0])
        candidates = [
            dict(zip(self.searched, values, strict=True))
            for values in product(*(getattr(self, name) for name in self.searched))
        ]
        errors = []
        for parameters in candidates:
            job.check_deadline(f"while choosing among {len(candidates)} penalties")
            errors.append(self._held_out(whole, parts, tasks, parameters))
        best = int(np.argmin(errors))
        chosen = candidates[best]
        constant = chosen.get("offset", 1.0)
        return LinearModel(
            tasks, scale, chosen, errors[best], self.fit(whole.scaled(constant), tasks, chosen), constant
        )

    def _held_out(
        self, whole: Statistics, parts: Sequence[Statistics], tasks: tuple[TaskSpec, ...], parameters: Parameters
    ) -> float:
        """Sum of squared errors, each fold predicted by a model fitted on the others."""
        total, constant = 0.0, parameters.get("offset", 1.0)
        for part in parts:
            fit = self.fit((whole - part).scaled(constant), tasks, parameters)
            total += float(part.scaled(constant).errors(fit.weights).sum())
        return total


class RelationLearner(LinearLearner):
    """Linear functions whose offsets are penalised too, as weights of a constant feature."""

    searched: ClassVar[tuple[str, ...]] = ("offset",)

    offset: Candidates = Field(
        (4.0,), description="values to try for the constant feature: the larger, the less offsets are penalised"
    )


def _findings(models: Sequence[LinearModel], rows: Mapping[str, Rows]) -> Iterator[Record]:
    """The parameters that cross-validation chose, their error, and the learned correlations."""
    for model in models:
        owner = model.tasks[0].name if len(models) > 1 else ""
        for name, value in model.chosen.items():
            yield Record(f"chosen_{name}", value, "train", owner)
        labels = sum(len(rows[task.name].x) * task.outputs for task in model.tasks)
        yield Record("cross_validation_error", model.errors / labels, "train", owner, higher_is_better=False)
        if model.fit.covariance is not None:
            yield from correlations(model.tasks, model.fit.covariance)


def _totals(models: Sequence[LinearModel], seconds: float) -> Iterator[Record]:
    parameters = sum(
        model.fit.weights.size if model.fit.parameters is None else model.fit.parameters for model in models
    )
    yield Record("train_seconds", seconds, unit="s", higher_is_better=False)
    yield Record("parameters", parameters, higher_is_better=False)
