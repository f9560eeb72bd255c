"""Metrics of values."""

from __future__ import annotations

from math import hypot, sqrt
from typing import TYPE_CHECKING, Any, ClassVar

from .base import Kind, LineMetric

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Rmse(LineMetric):
    """Root of the mean squared error, over positions and columns together."""

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    unit: ClassVar[str] = ""
    power: ClassVar[int] = 2

    def compute(self, target: Array, score: Array) -> float:
        """sqrt(mean (target - prediction)²)."""
        return float(((target - score) ** 2).mean() ** 0.5)

    def oracle(self, target: Array, score: Array) -> float:
        """The root of scikit-learn's mean squared error."""
        from sklearn.metrics import mean_squared_error

        return sqrt(mean_squared_error(target, score))


class Mae(LineMetric):
    """Mean absolute error."""

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    unit: ClassVar[str] = ""
    power: ClassVar[int] = 1

    def compute(self, target: Array, score: Array) -> float:
        """mean |target - prediction|."""
        return float(abs(target - score).mean())

    def oracle(self, target: Array, score: Array) -> float:
        """scikit-learn's."""
        from sklearn.metrics import mean_absolute_error

        return float(mean_absolute_error(target, score))


class R2(LineMetric):
    """1 - residual over total sum of squares, averaged over columns; undefined for a constant target."""

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)

    def compute(self, target: Array, score: Array) -> float:
        """mean over columns of 1 - Σ (target - prediction)² / Σ (target - mean)²."""
        total = ((target - target.mean(0)) ** 2).sum(0)
        if not (total > 0).all():
            return float("nan")
        return float((1 - ((target - score) ** 2).sum(0) / total).mean())

    def oracle(self, target: Array, score: Array) -> float:
        """scikit-learn's, which calls a constant target predicted perfectly or not at all."""
        from sklearn.metrics import r2_score

        is_constant = any(len(set(column)) == 1 for column in target.T.tolist())
        return float("nan") if is_constant else float(r2_score(target, score))


class CosineSimilarity(LineMetric):
    """Mean cosine of the angle between vectors [M, K]; a vector of length 0 counts as 0."""

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    power: ClassVar[int] = 1

    def compute(self, target: Array, score: Array) -> float:
        """mean <target, prediction> / (‖target‖ ‖prediction‖)."""
        import numpy as np

        lengths = np.linalg.norm(target, axis=1) * np.linalg.norm(score, axis=1)
        return float(((target * score).sum(1) / np.maximum(lengths, 1e-12)).mean())

    def oracle(self, target: Array, score: Array) -> float:
        """Row by row."""
        cosines = []
        for one, other in zip(target.tolist(), score.tolist(), strict=True):
            product = sum(a * b for a, b in zip(one, other, strict=True))
            cosines.append(product / (hypot(*one) * hypot(*other)) if any(one) and any(other) else 0.0)
        return sum(cosines) / len(cosines)


class RelativeError(LineMetric):
    """Mean of |target - prediction| / |target| over the targets that are not 0; undefined where all are.

    Source: Eigen, Puhrsch and Fergus, Depth Map Prediction from a Single Image, 2014, section 4.2.
    """

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)

    def compute(self, target: Array, score: Array) -> float:
        """By the formula above."""
        nonzero = target != 0
        return float((abs(target - score)[nonzero] / abs(target[nonzero])).mean()) if nonzero.any() else float("nan")

    def oracle(self, target: Array, score: Array) -> float:
        """scikit-learn's mean absolute percentage error, without the targets that are 0."""
        from sklearn.metrics import mean_absolute_percentage_error

        chosen = target != 0
        return float(mean_absolute_percentage_error(target[chosen], score[chosen])) if chosen.any() else float("nan")
