"""Metrics: each owns its direction and computes itself from predictions in NumPy (scikit-learn where it has one).

A metric is of one of three forms. Most see all labelled positions in one line, whatever rows they are from. Those that
only count hits also compute themselves from a confusion matrix, so that no prediction need be kept. Those that depend
on what stands beside what (spans of tags) see whole rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .chunks import chunk_f1
from .geometry import angle_mean, angle_median, angle_within, box_iou, relative_error

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Metric:
    """``compute(target, score)``: target is class indices [M] or values [M, K] of the M labelled positions (rows, where
    a row has one label); score is class scores [M, C], one probability [M], or values [M, K] in the task's unit.

    counted(confusion)  the same from the confusion matrix int64 [C, C] (rows: target, columns: prediction; binary
                        tasks have C = 2), or None where counts are not enough
    of_rows             whether ``compute(target, predicted, classes)`` sees class indices int64 [N, *positions] of
                        whole rows instead, target -1 where the label is unknown, and the names of the classes
    unit                '%' for fractions shown in percent, '' for the task's own unit, '1' for pure numbers; '°'
    power               p where the scores s_i of parts of n_i rows give that of all rows, (Σ n_i s_i^p / Σ n_i)^(1/p):
                        1 for means, 2 for root mean squares; 0 where they do not
    """

    name: str
    higher_is_better: bool
    unit: str
    compute: Callable[..., float]
    counted: Callable[[Array], float] | None = None
    of_rows: bool = False
    power: int = 0


def of_counts(name: str, counted: Callable[[Array], float], power: int = 0) -> Metric:
    """A metric in percent, the higher the better, that a confusion matrix decides."""

    def compute(target: Array, score: Array) -> float:
        import numpy as np

        predicted = score.argmax(1) if score.ndim == 2 else score > 0.5
        classes = score.shape[1] if score.ndim == 2 else 2
        pairs = target.astype("int64") * classes + predicted
        return counted(np.bincount(pairs, minlength=classes**2).reshape(classes, classes))

    return Metric(name, True, "%", compute, counted, power=power)


def _accuracy(confusion: Array) -> float:
    return float(confusion.trace() / confusion.sum() * 100)


def _balanced_accuracy(confusion: Array) -> float:
    """Mean recall over the classes present in the target."""
    present = confusion.sum(1) > 0
    return float((confusion.diagonal()[present] / confusion.sum(1)[present]).mean() * 100)


def _macro_f1(confusion: Array) -> float:
    """Mean over the classes present in target or prediction of 2 hits / (labelled + predicted)."""
    both = confusion.sum(0) + confusion.sum(1)
    return float((2 * confusion.diagonal()[both > 0] / both[both > 0]).mean() * 100)


def _mean_iou(confusion: Array) -> float:
    """Mean over the classes present in target or prediction of hits / (labelled + predicted - hits)."""
    hits = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - hits
    return float((hits[union > 0] / union[union > 0]).mean() * 100)


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
        of_counts("accuracy", _accuracy, power=1),
        of_counts("balanced_accuracy", _balanced_accuracy),
        of_counts("macro_f1", _macro_f1),
        of_counts("mean_iou", _mean_iou),
        Metric("auc", True, "%", _auc),
        Metric("rmse", False, "", _rmse, power=2),
        Metric("mae", False, "", _mae, power=1),
        Metric("r2", True, "1", _r2),
        Metric("cosine_similarity", True, "1", _cosine_similarity, power=1),
        Metric("relative_error", False, "1", relative_error),
        Metric("box_iou", True, "%", box_iou),
        Metric("angle_mean", False, "°", angle_mean),
        Metric("angle_median", False, "°", angle_median),
        Metric("within_11.25", True, "%", partial(angle_within, 11.25)),
        Metric("within_22.5", True, "%", partial(angle_within, 22.5)),
        Metric("within_30", True, "%", partial(angle_within, 30)),
        Metric("chunk_f1", True, "%", chunk_f1, of_rows=True),
    )
}
