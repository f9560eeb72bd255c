"""Chunk F1 against chunks found one by one, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbench.core.metrics import METRICS

CLASSES = ("O", "B-NP", "I-NP", "B-VP", "I-VP")
chunk_f1 = METRICS["chunk_f1"].compute


def chunks(tags: list[str]) -> set[tuple[int, int, str]]:
    """(first, last, type) of each chunk of one row; an empty tag is a position without one."""
    found, start, kind = set(), None, ""
    for i, tag in enumerate([*tags, "O"]):
        inside = tag not in ("", "O")
        if start is not None and (not inside or tag[0] == "B" or tag[2:] != kind):
            found.add((start, i - 1, kind))
            start = None
        if inside and start is None:
            start, kind = i, tag[2:]
    return found


def named(row: np.ndarray, known: np.ndarray) -> list[str]:
    return [CLASSES[tag] if k else "" for tag, k in zip(row, known, strict=True)]


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 5), length=st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_as_found_one_by_one(seed: int, rows: int, length: int) -> None:
    chance = np.random.default_rng(seed)
    target = chance.integers(0, len(CLASSES), (rows, length))
    predicted = np.where(chance.random(target.shape) < 0.7, target, chance.integers(0, len(CLASSES), target.shape))
    known = chance.random(target.shape) < 0.9
    correct = found = true = 0
    for row in range(rows):
        gold, guess = (chunks(named(tags[row], known[row])) for tags in (target, predicted))
        correct, found, true = correct + len(gold & guess), found + len(guess), true + len(gold)
    expected = 200 * correct / (found + true) if found + true else 100
    assert chunk_f1(np.where(known, target, -1), predicted, CLASSES) == pytest.approx(expected)


def score(true: str, found: str) -> float:
    rows = [np.array([[CLASSES.index(tag) for tag in tags.split()]]) for tags in (true, found)]
    return chunk_f1(*rows, CLASSES)


def test_by_hand() -> None:
    assert score("B-NP I-NP O B-VP", "B-NP I-NP O B-VP") == 100
    assert score("B-NP I-NP O B-VP", "B-NP O O B-VP") == 50  # one of two true and of two found
    assert score("B-NP I-NP I-NP", "B-NP B-NP I-NP") == 0  # the end alone is not enough
    assert score("B-NP I-NP", "B-VP I-VP") == 0  # nor the place without the type
    assert score("O B-NP I-NP", "O I-NP I-NP") == 100  # I begins a chunk after O
    assert score("B-NP B-VP", "B-NP I-VP") == 100  # and after another type
    assert score("O O", "O O") == 100
    assert score("O O", "B-NP O") == 0


def test_chunks_end_with_their_row() -> None:
    tags = np.array([[1, 2], [2, 2]])
    assert chunk_f1(tags, np.array([[1, 2], [1, 2]]), CLASSES) == 100
    assert chunk_f1(tags[:1], tags[:1], CLASSES) == 100


def test_other_tags_are_refused() -> None:
    with pytest.raises(ValueError, match="expected tags O, B-type or I-type, got 'NN'"):
        chunk_f1(np.zeros((1, 2), dtype="int64"), np.zeros((1, 2), dtype="int64"), ("O", "NN"))
