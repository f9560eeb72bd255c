"""What learners of trees share: one model a task from flat rows, its probabilities or values, and the records."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.record import Record
from ..core.task import Outline
from .base import Job, Learner

if TYPE_CHECKING:
    from .rows import Rows


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
        from .tree_fits import fitted  # so that planning imports no torch

        return fitted(self, job)
