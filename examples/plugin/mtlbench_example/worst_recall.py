"""A metric that looks at the worst class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtlbench.core.metrics.base import CountMetric, predicted

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class WorstRecall(CountMetric):
    """Recall of the class that has the lowest, of those present in the target."""

    def counted(self, confusion: Array) -> float:
        """From the confusion matrix (rows: target, columns: prediction)."""
        present = confusion.sum(1) > 0
        return float((confusion.diagonal()[present] / confusion.sum(1)[present]).min() * 100)

    def oracle(self, target: Array, score: Array) -> float:
        """The same by scikit-learn, for tests."""
        from sklearn.metrics import recall_score

        return 100 * float(recall_score(target, predicted(score), labels=sorted(set(target)), average=None).min())
