"""One support vector machine for all tasks, with a kernel that depends on the task of each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from ..core.errors import MtlbenchError
from ..core.record import Record
from ..core.task import Outline, TaskSpec
from ..measure.clock import now
from .base import Job, Learner
from .relation.base import Candidates
from .relation.statistics import Scale
from .rows import Rows, read_rows

if TYPE_CHECKING:
    from ..core.task import Array

_ABSENT = -10.0  # the score of a class that no training row has
Score = Callable[["Array"], "Array"]  # kernel [M, N] to scores [M, outputs]


class KernelSvm(Learner):
    """One SVM for all tasks: K((x, s), (y, t)) = (μ + δ_st) k(x, y), k(x, y) = exp(-γ ‖x - y‖² / features).

    A large μ ignores which task a row is from; a small one trains the tasks separately, except for their common
    offset. Tasks with labels of the same kind share a machine: all binary tasks, all tasks with the same number of
    classes, all regressions with the same number of values (one SVR per value).
    Classification is by C-SVC, one-vs-one for several classes; regression by ε-SVR on standardised targets; both are
    scikit-learn's, with a precomputed kernel. Inputs are standardised on training rows; μ, C and γ are chosen by
    cross-validation on them. Classification outputs are margins, so their losses are not likelihoods.

    ``most_rows`` limits the rows of one machine. Source: Evgeniou and Pontil, Regularized multi-task learning,
    KDD 2004, whose 1/μ is μ here.
    """

    @classmethod
    def uses(cls, part: str) -> bool:
        """None of the parts that gradient training consists of."""
        return False

    mu: Candidates = Field((0.1, 1.0, 10.0), description="values to try for μ")
    cost: Candidates = Field((0.1, 1.0, 10.0), description="values to try for C")
    gamma: Candidates = Field((0.1, 1.0), description="values to try for γ")
    epsilon: float = Field(0.1, ge=0, description="half width of the tube that costs nothing, in target deviations")
    folds: int = Field(3, ge=2, le=100, description="folds of the cross-validation")
    most_rows: Annotated[int, Field(ge=1, le=20_000)] = Field(5000, description="training rows of one machine, at most")

    def check(self, outline: Outline) -> Iterator[str]:
        """Every task needs rows with the same number of features and one label each, and not too many of them."""
        shape = outline.input_shape
        widths = {prod(one) for one in (shape.values() if isinstance(shape, Mapping) else (shape,))}
        if outline.vocabulary or any(task.positions for task in outline.tasks):
            yield "expected rows of numbers with one label each, got tokens or labels at every position"
        elif len(widths) > 1:
            yield f"expected as many features in every task, got {min(widths)} to {max(widths)}"
        for group in _alike(outline.tasks):
            yield from self._check_rows(sum(outline.labelled.get(task.name, 0) for task in group))

    def _check_rows(self, rows: int) -> list[str]:
        """A sentence if one machine would have more rows than ``most_rows``."""
        if rows <= self.most_rows:
            return []
        return [
            f"most_rows: expected at most {self.most_rows:,} training rows of tasks with equal labels, got {rows:,}: a "
            "kernel matrix has rows² entries; train on fewer, raise most_rows, or use a linear relation learner"
        ]

    def run(self, job: Job) -> list[Record]:
        """Choose, fit, evaluate, report. Raises MtlbenchError for too many rows, TimedOut."""
        from .predictor import evaluated

        start, outline = now(job.device), job.data.outline.only(job.tasks)
        rows = read_rows(job.data.train, outline, self.folds, job.seed)
        groups = [_Group.of(tasks, rows) for tasks in _alike(outline.tasks)]
        for group in groups:
            for sentence in self._check_rows(len(group.x)):
                raise MtlbenchError(sentence)
        machines = [self._learn(job, group) for group in groups]
        seconds = now(job.device) - start
        by_task = {task.name: machine for machine in machines for task in machine.group.tasks}
        predicted = evaluated(job, lambda task, x: by_task[task].predict(task, x))
        findings = [record for machine in machines for record in machine.findings(len(machines) > 1)]
        return [
            *findings,
            *predicted,
            Record("train_seconds", seconds, unit="s", higher_is_better=False),
            Record("parameters", sum(machine.vectors for machine in machines), higher_is_better=False),
        ]

    def _learn(self, job: Job, group: _Group) -> _Machine:
        candidates = list(product(self.gamma, self.mu, self.cost))
        errors = []
        for gamma, mu, cost in candidates:
            kernel = group.kernel(group.x, group.task, gamma, mu)
            wrong = 0.0
            for fold in range(self.folds):
                job.check_deadline(f"while choosing among {len(candidates)} machines")
                held = group.fold == fold
                if held.any() and not held.all():
                    score, _ = self._fit(group, kernel[np.ix_(~held, ~held)], ~held, cost)
                    wrong += group.wrong(score(kernel[np.ix_(held, ~held)]), held)
            errors.append(wrong)
        best = int(np.argmin(errors))
        gamma, mu, cost = candidates[best]
        everything = np.ones(len(group.x), dtype=bool)
        score, vectors = self._fit(group, group.kernel(group.x, group.task, gamma, mu), everything, cost)
        chosen = {"gamma": gamma, "mu": mu, "cost": cost}
        return _Machine(group, chosen, errors[best] / group.y.size, score, vectors)

    def _fit(self, group: _Group, kernel: Array, chosen: Array, cost: float) -> tuple[Score, int]:
        """A function from a kernel with the training rows to scores, and the number of support vectors."""
        from sklearn.svm import SVC, SVR

        y = group.y[chosen]
        if group.values:
            machines = [SVR(kernel="precomputed", C=cost, epsilon=self.epsilon).fit(kernel, column) for column in y.T]
            vectors = sum(len(machine.support_) for machine in machines)
            return lambda k: np.stack([machine.predict(k) for machine in machines], axis=1), vectors
        classes = np.unique(y)
        if len(classes) < 2:
            return lambda k: group.spread(np.ones((len(k), 1)), classes), 0
        machine = SVC(kernel="precomputed", C=cost).fit(kernel, y)
        return lambda k: group.spread(_per_class(machine, k), classes), len(machine.support_)


@dataclass(frozen=True)
class _Group:
    """Tasks with labels of the same kind, and their concatenated rows: x [N, D], y, and each row's task and fold."""

    tasks: tuple[TaskSpec, ...]
    scale: Scale
    x: Array
    y: Array
    task: Array
    fold: Array

    @classmethod
    def of(cls, tasks: tuple[TaskSpec, ...], rows: Mapping[str, Rows]) -> _Group:
        parts = [rows[task.name] for task in tasks]
        scale = Scale.of(parts)
        return cls(
            tasks,
            scale,
            np.concatenate([scale(part.x)[:, :-1] for part in parts]),
            np.concatenate([part.y.astype("float64" if part.y.ndim > 1 else "int64") for part in parts]),
            np.repeat(np.arange(len(parts)), [len(part.x) for part in parts]),
            np.concatenate([part.fold for part in parts]),
        )

    @property
    def values(self) -> bool:
        """Whether labels are values, not classes."""
        return self.y.ndim > 1

    def kernel(self, x: Array, task: Array, gamma: float, mu: float) -> Array:
        """The kernel (μ + δ) k of some rows [M] with the training rows [N]."""
        from sklearn.metrics.pairwise import rbf_kernel

        alike = task[:, None] == self.task
        kernel: Array = rbf_kernel(x, self.x, gamma / max(x.shape[1], 1)) * (mu + alike)
        return kernel

    def spread(self, scores: Array, classes: Array) -> Array:
        """The scores of the classes seen in training, moved to their columns among all classes [M, outputs]."""
        outputs = self.tasks[0].outputs
        if outputs == 1:  # the logit of a binary task: class 1 against class 0
            return scores[:, -1:] if classes[-1] == 1 else -scores[:, :1]
        spread = np.full((len(scores), outputs), _ABSENT)
        spread[:, classes] = scores
        return spread

    def wrong(self, scores: Array, held: Array) -> float:
        """The sum of squared errors, or the number of misclassified rows."""
        y = self.y[held]
        if self.values:
            return float(((scores - y) ** 2).sum())
        predicted = scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(1)
        return float((predicted != y).sum())


@dataclass(frozen=True)
class _Machine:
    """A fitted machine of a group of tasks."""

    group: _Group
    chosen: Mapping[str, float]
    error: float
    score: Score
    vectors: int

    def predict(self, task: str, x: Array) -> Array:
        """Outputs of one task."""
        group = self.group
        place = [member.name for member in group.tasks].index(task)
        rows = group.scale(x)[:, :-1]
        kernel = group.kernel(rows, np.full(len(rows), place), self.chosen["gamma"], self.chosen["mu"])
        return self.score(kernel)

    def findings(self, several: bool) -> Iterator[Record]:
        """The parameters that cross-validation chose, and their error."""
        owner = self.group.tasks[0].name if several else ""
        for name, value in self.chosen.items():
            yield Record(f"chosen_{name}", value, "train", owner)
        yield Record("cross_validation_error", self.error, "train", owner, higher_is_better=False)


def _alike(tasks: Iterable[TaskSpec]) -> list[tuple[TaskSpec, ...]]:
    """Tasks that can share a machine."""
    groups: dict[tuple[str, int], list[TaskSpec]] = {}
    for task in tasks:
        kind = task.kind if task.kind in ("classification", "binary") else "values"
        groups.setdefault((kind, task.outputs), []).append(task)
    return [tuple(group) for group in groups.values()]


def _per_class(machine: Any, kernel: Array) -> Array:
    """Scores [M, classes seen]; of two classes, margins of opposite sign."""
    margins = machine.decision_function(kernel)
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
