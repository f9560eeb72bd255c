"""What a metric is: its direction, its unit, the tasks that it fits, and how it is computed, in NumPy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..config import Config

if TYPE_CHECKING:
    import numpy as np

    from ..task import TaskSpec

    Array = np.ndarray[Any, Any]

# Kinds of tasks: values, one class of several, and the probability of one class against another.
Kind = Literal["regression", "classification", "binary"]
CLASSES: tuple[Kind, ...] = ("binary", "classification")


class Metric(Config):
    """One metric; its name is the row of the table, and its classes below say what it is shown.

    higher_is_better  the direction
    kinds             the kinds of tasks that it fits
    unit              '%' for fractions shown in percent, '' for the task's own unit, '1' for pure numbers; '°'
    power             p where the scores s_i of parts of n_i rows give that of all rows, (Σ n_i s_i^p / Σ n_i)^(1/p):
                      1 for means, 2 for root mean squares; 0 where they do not
    """

    higher_is_better: ClassVar[bool]
    kinds: ClassVar[tuple[Kind, ...]]
    unit: ClassVar[str] = "1"
    power: ClassVar[int] = 0

    def needs(self, task: TaskSpec) -> str:
        """What else a task of a kind that fits must have, and does not: words after "expected"; else empty."""
        return ""


class LineMetric(Metric):
    """A metric of all labelled positions in one line (of rows, where a row has one label).

    target  class indices [M], or values [M, K] in the task's unit
    score   class scores [M, C] that sum to 1 (classification), probabilities [M] of class 1 (binary), or values [M, K]
    """

    @abstractmethod
    def compute(self, target: Array, score: Array) -> float:
        """The metric; NaN where it is undefined."""

    def oracle(self, target: Array, score: Array) -> float | None:
        """The same by other means, slowly, for the tests of the table; None where there are none."""
        return None

    def sample(self, rng: np.random.Generator, rows: int) -> tuple[Array, Array] | None:
        """Targets and scores for the tests of the table, where not any numbers will do."""
        return None


class CountMetric(LineMetric):
    """A metric that a confusion matrix decides, so that no prediction need be kept; a share, unless it says otherwise.

    confusion  int64 [C, C], rows: target, columns: prediction; C = 2 for binary tasks
    """

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = CLASSES
    unit: ClassVar[str] = "%"

    @abstractmethod
    def counted(self, confusion: Array) -> float:
        """The metric; NaN where it is undefined."""

    def compute(self, target: Array, score: Array) -> float:
        """The same from predictions."""
        import numpy as np

        classes = score.shape[1] if score.ndim == 2 else 2
        pairs = target.astype("int64") * classes + predicted(score)
        return self.counted(np.bincount(pairs, minlength=classes**2).reshape(classes, classes))


class RowMetric(Metric):
    """A metric of whole rows, which depends on what stands beside what (spans of tags).

    target, predicted  class indices int64 [N, *positions], target -1 where the label is unknown
    classes            the names of the classes
    """

    kinds: ClassVar[tuple[Kind, ...]] = CLASSES

    @abstractmethod
    def compute(self, target: Array, predicted: Array, classes: Sequence[str]) -> float:
        """The metric; NaN where it is undefined."""

    def oracle(self, target: Array, predicted: Array, classes: Sequence[str]) -> float | None:
        """The same by other means, slowly, for the tests of the table; None where there are none."""
        return None

    def sample(self, rng: np.random.Generator, rows: int) -> tuple[Array, Array, Sequence[str]] | None:
        """Targets, predictions and classes for the tests of the table, which cannot guess the classes' names."""
        return None


def predicted(score: Array) -> Array:
    """The predicted class of each position [M]: the first of the most probable ones, or 1 above one half."""
    classes: Array = score.argmax(1) if score.ndim == 2 else score > 0.5
    return classes
