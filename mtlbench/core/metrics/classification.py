"""Metrics of classes, most of them from a confusion matrix alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .base import CLASSES, CountMetric, Kind, LineMetric, predicted

if TYPE_CHECKING:
    import numpy as np

    from ..task import TaskSpec

    Array = np.ndarray[Any, Any]


class Accuracy(CountMetric):
    """Share of positions whose class is predicted."""

    power: ClassVar[int] = 1

    def counted(self, confusion: Array) -> float:
        """Hits over all."""
        return float(confusion.trace() / confusion.sum() * 100)

    def oracle(self, target: Array, score: Array) -> float:
        """scikit-learn's."""
        from sklearn.metrics import accuracy_score

        return 100 * float(accuracy_score(target, predicted(score)))


class BalancedAccuracy(CountMetric):
    """Mean recall over the classes present in the target."""

    def counted(self, confusion: Array) -> float:
        """Mean over present classes of hits / labelled."""
        present = confusion.sum(1) > 0
        return float((confusion.diagonal()[present] / confusion.sum(1)[present]).mean() * 100)

    def oracle(self, target: Array, score: Array) -> float:
        """scikit-learn's recall, without classes that are predicted but absent."""
        from sklearn.metrics import recall_score

        return 100 * float(recall_score(target, predicted(score), labels=sorted(set(target)), average="macro"))


class MacroF1(CountMetric):
    """Mean F1 over the classes present in target or prediction."""

    def counted(self, confusion: Array) -> float:
        """Mean of 2 hits / (labelled + predicted)."""
        both = confusion.sum(0) + confusion.sum(1)
        return float((2 * confusion.diagonal()[both > 0] / both[both > 0]).mean() * 100)

    def oracle(self, target: Array, score: Array) -> float:
        """scikit-learn's."""
        from sklearn.metrics import f1_score

        return 100 * float(f1_score(target, predicted(score), average="macro", zero_division=0.0))


class MeanIou(CountMetric):
    """Mean intersection over union (Jaccard index) over the classes present in target or prediction."""

    def counted(self, confusion: Array) -> float:
        """Mean of hits / (labelled + predicted - hits)."""
        hits = confusion.diagonal()
        union = confusion.sum(0) + confusion.sum(1) - hits
        return float((hits[union > 0] / union[union > 0]).mean() * 100)

    def oracle(self, target: Array, score: Array) -> float:
        """scikit-learn's."""
        from sklearn.metrics import jaccard_score

        return 100 * float(jaccard_score(target, predicted(score), average="macro", zero_division=0.0))


class Auc(LineMetric):
    """Area under the ROC curve of two classes; undefined where one of them is absent."""

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = CLASSES
    unit: ClassVar[str] = "%"

    def needs(self, task: TaskSpec) -> str:
        """Two classes."""
        return "2 classes" if task.kind == "classification" and task.outputs != 2 else ""

    def compute(self, target: Array, score: Array) -> float:
        """By scikit-learn."""
        from sklearn.metrics import roc_auc_score

        if len(set(target.tolist())) < 2:
            return float("nan")
        return float(roc_auc_score(target, score if score.ndim == 1 else score[:, 1]) * 100)

    def oracle(self, target: Array, score: Array) -> float:
        """The share of pairs of the two classes that are in order, ties counting half."""
        line = score if score.ndim == 1 else score[:, 1]
        negative, positive = line[target == 0], line[target == 1]
        pairs = [float(p > n) + float(p == n) / 2 for p in positive for n in negative]
        return 100 * sum(pairs) / len(pairs) if pairs else float("nan")
