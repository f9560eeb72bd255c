"""Metrics that a confusion matrix decides, against scikit-learn on the predictions."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbench.core.metrics import METRICS

ORACLES = {
    "accuracy": sklearn.metrics.accuracy_score,
    "balanced_accuracy": sklearn.metrics.recall_score,
    "macro_f1": sklearn.metrics.f1_score,
    "mean_iou": sklearn.metrics.jaccard_score,
}


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 30), classes=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", ORACLES)
def test_as_scikit_learn_has_it(name: str, seed: int, rows: int, classes: int) -> None:
    """One class stands for a binary task, with a probability for each row."""
    chance = np.random.default_rng(seed)
    target = chance.integers(0, max(classes, 2), rows)
    score = chance.random((rows, classes) if classes > 1 else rows)
    predicted = score.argmax(1) if classes > 1 else (score > 0.5).astype(int)
    options = {}
    if name == "balanced_accuracy":
        options = {"labels": np.unique(target), "average": "macro"}
    elif name != "accuracy":
        options = {"average": "macro", "zero_division": 0.0}
    assert METRICS[name].compute(target, score) == pytest.approx(100 * ORACLES[name](target, predicted, **options))
