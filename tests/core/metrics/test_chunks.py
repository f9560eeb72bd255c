"""Chunk F1 by hand; the contract has it against chunks listed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from mtlbench.core.metrics.chunks import ChunkF1

CLASSES = ("O", "B-NP", "I-NP", "B-VP", "I-VP")
chunk_f1 = ChunkF1().compute


def score(true: str, found: str) -> float:
    target, predicted = (np.array([[CLASSES.index(tag) for tag in tags.split()]]) for tags in (true, found))
    return chunk_f1(target, predicted, CLASSES)


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
