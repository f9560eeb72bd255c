"""Metrics: each owns its direction and computes itself from predictions in NumPy (scikit-learn where it has one)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Metric:
    """``compute(target, score)``: target is class indices [N] or values [N, K]; score is class scores [N, C], one
    probability [N], or values [N, K] in the task's unit. ``unit`` is '%' for fractions shown in percent, '' for the
    task's own unit, '1' for pure numbers.
    """

    name: str
    higher_is_better: bool
    unit: str
    compute: Callable[[Array, Array], float]


def _labels(score: Array) -> Array:
    return score.argmax(1) if score.ndim == 2 else (score > 0.5).astype("int64")


def _accuracy(target: Array, score: Array) -> float:
    return float((_labels(score) == target).mean() * 100)


def _balanced_accuracy(target: Array, score: Array) -> float:
    """Mean recall over the classes present in ``target``."""
    predicted = _labels(score)
    recalls = [float((predicted[target == c] == c).mean()) for c in sorted(set(target.tolist()))]
    return 100 * sum(recalls) / len(recalls)


def _macro_f1(target: Array, score: Array) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(target, _labels(score), average="macro", zero_division=0.0) * 100)


def _auc(target: Array, score: Array) -> float:
    """Area under the ROC curve of a binary task; undefined (NaN) where one class is absent."""
    from sklearn.metrics import roc_auc_score

    if len(set(target.tolist())) < 2:
        return float("nan")
    return float(roc_auc_score(target, score if score.ndim == 1 else score[:, 1]) * 100)


def _rmse(target: Array, score: Array) -> float:
    return float(((target - score) ** 2).mean() ** 0.5)


def _mae(target: Array, score: Array) -> float:
    return float(abs(target - score).mean())


def _r2(target: Array, score: Array) -> float:
    """1 - residual over total sum of squares, averaged over columns; undefined (NaN) for a constant target."""
    total = ((target - target.mean(0)) ** 2).sum(0)
    if not (total > 0).all():
        return float("nan")
    return float((1 - ((target - score) ** 2).sum(0) / total).mean())


def _cosine_similarity(target: Array, score: Array) -> float:
    """Mean cosine of the angle between vectors [N, K]; a vector of length 0 counts as 0."""
    import numpy as np

    lengths = np.linalg.norm(target, axis=1) * np.linalg.norm(score, axis=1)
    return float(((target * score).sum(1) / np.maximum(lengths, 1e-12)).mean())


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", True, "%", _accuracy),
        Metric("balanced_accuracy", True, "%", _balanced_accuracy),
        Metric("macro_f1", True, "%", _macro_f1),
        Metric("auc", True, "%", _auc),
        Metric("rmse", False, "", _rmse),
        Metric("mae", False, "", _mae),
        Metric("r2", True, "1", _r2),
        Metric("cosine_similarity", True, "1", _cosine_similarity),
    )
}
