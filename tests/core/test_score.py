"""Scores relative to the first losses, and the means by which candidates are chosen."""

from __future__ import annotations

from math import inf, nan

import pytest

from mtlbench.core.record import Record
from mtlbench.core.score import Tried, candidate_scores, relative_score


def facts(first: float | None, *later: float, kept: int = 2) -> list[Record]:
    """Validation losses of epochs 0, 1, … of task a; the test split was read after epoch ``kept``."""
    losses = [*([(0, first)] if first is not None else []), *enumerate(later, start=1)]
    found = [Record("loss", value, "validation", "a", step=step) for step, value in losses]
    noise = [Record("accuracy", 99.0, "validation", "a", step=kept), Record("loss", 99.0, "train", "a", step=kept)]
    return [*found, *noise, Record("loss", -5.0, "test", "a", step=kept)]


def test_relative_to_the_first_losses() -> None:
    assert relative_score({"a": 1.0, "b": 30.0}, {"a": 2.0, "b": 10.0}) == pytest.approx((0.5 + 3) / 2)
    assert relative_score({"a": 1.0, "b": 30.0}, {"a": 2.0, "b": 0.0}) == 0.5
    assert relative_score({"a": nan}, {"a": 2.0}) == inf
    assert relative_score({}, {"a": 2.0}) == inf
    assert relative_score({"a": 1.0}, {}) == inf


def test_the_kept_epoch_counts_and_the_test_split_does_not() -> None:
    scores = candidate_scores([Tried("x", "", facts(4.0, 3.0, 2.0, 1.0)), Tried("y", "", facts(8.0, 1.0, 3.0, kept=1))])
    assert scores == {"x": 0.5, "y": 0.25}  # both relative to 4, where the first one began


def test_folds_are_averaged_each_with_its_own_beginning() -> None:
    tried = [
        Tried("x", "fold 1", facts(4.0, 0.0, 2.0)),
        Tried("x", "fold 2", facts(10.0, 0.0, 1.0)),
        Tried("y", "fold 1", facts(4.0, 0.0, 1.0)),
        Tried("y", "fold 2", []),  # failed
    ]
    assert candidate_scores(tried) == {"x": pytest.approx(0.3), "y": inf}


def test_a_learner_without_initial_weights_is_compared_with_the_first() -> None:
    tried = [Tried("x", "", facts(None, 3.0, 2.0)), Tried("y", "", facts(None, 3.0, 1.0))]
    assert candidate_scores(tried) == {"x": 1.0, "y": 0.5}
