"""Sufficient statistics of least squares: all that linear models need to know about the rows.

Shape suffixes: C columns (one for each output of each task), D features and a constant 1, N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...core.task import TaskSpec
from ..rows import Rows, as_numbers

if TYPE_CHECKING:
    from ...core.task import Array


@dataclass(frozen=True)
class Statistics:
    """G_c = X_cᵀ X_c [C, D, D], b_c = X_cᵀ y_c [C, D], y_cᵀ y_c [C] and the number of rows n_c [C] of every column.

    They are additive over rows: those of all folds but one are those of all rows minus those of that fold.
    """

    gram: Array
    moment: Array
    square: Array
    rows: Array

    def __add__(self, other: Statistics) -> Statistics:
        pairs = zip(self._parts, other._parts, strict=True)
        return Statistics(*(a + b for a, b in pairs))

    def __sub__(self, other: Statistics) -> Statistics:
        pairs = zip(self._parts, other._parts, strict=True)
        return Statistics(*(a - b for a, b in pairs))

    @property
    def _parts(self) -> tuple[Array, ...]:
        return self.gram, self.moment, self.square, self.rows

    def scaled(self, constant: float) -> Statistics:
        """The statistics of the same rows with the constant 1, the last feature, replaced by another value."""
        size = np.append(np.ones(self.moment.shape[1] - 1), constant)
        return Statistics(self.gram * np.outer(size, size), self.moment * size, self.square, self.rows)

    def apply(self, weights_CD: Array) -> Array:
        """G_c w_c of every column [C, D]."""
        return (self.gram @ weights_CD[..., None])[..., 0]

    def errors(self, weights_CD: Array) -> Array:
        """Sum of squared errors of every column [C], ‖y_c - X_c w_c‖²."""
        cross = (weights_CD * (self.apply(weights_CD) - 2 * self.moment)).sum(1)
        errors_C: Array = np.maximum(self.square + cross, 0.0)
        return errors_C


@dataclass(frozen=True)
class Scale:
    """x -> ((x - mean) / deviation, 1), fitted on training rows; features that never vary become 0."""

    mean: Array
    deviation: Array

    @classmethod
    def of(cls, rows: Sequence[Rows]) -> Scale:
        """Mean and deviation over the rows of all tasks together."""
        x = np.concatenate([part.x for part in rows])
        deviation = x.std(0)
        flat = deviation <= 1e-9 * np.abs(x).max(0, initial=0.0)
        return cls(x.mean(0), np.where(flat, np.inf, deviation))

    def __call__(self, x: Array) -> Array:
        """The design matrix of some rows, [N, D]."""
        return np.hstack([(x - self.mean) / self.deviation, np.ones((len(x), 1))])


def by_fold(rows: Mapping[str, Rows], tasks: Sequence[TaskSpec], scale: Scale, folds: int) -> list[Statistics]:
    """The statistics of every fold, with columns in the order of the tasks."""
    designs = [(scale(rows[task.name].x), as_numbers(task, rows[task.name].y), rows[task.name].fold) for task in tasks]
    statistics = []
    for k in range(folds):
        parts = [_of(x[fold == k], y[fold == k]) for x, y, fold in designs]
        statistics.append(Statistics(*(np.concatenate(pieces) for pieces in zip(*parts, strict=True))))
    return statistics


def _of(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """Statistics of one task, whose columns share its rows."""
    columns = y.shape[1]
    gram = np.broadcast_to(x.T @ x, (columns, x.shape[1], x.shape[1]))
    return gram, (x.T @ y).T, (y**2).sum(0), np.full(columns, float(len(x)))
