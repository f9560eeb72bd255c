"""Spans of tags (chunks, slots, entities) and how many of them a tagger finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

OUTSIDE = "O"


def chunk_f1(target: Array, predicted: Array, classes: Sequence[str]) -> float:
    """F1 in percent of exactly found chunks: the same first token, the same last token and the same type.

        F1 = 2 correct / (found + true),   counted over all types together; 100 where there is nothing to find

    target, predicted  class indices int64 [N, length]; a position whose target is below 0 has no tag, and ends chunks
    classes            the tags: O, B-type or I-type

    A chunk begins at B-type, and at an I-type that does not continue a chunk of its type (so IOB1 is read too); it
    ends before the next beginning or O. Raises ValueError for other tags.

    Source: the script conlleval of the shared task of CoNLL-2000 (Tjong Kim Sang and Buchholz, 2000).
    """
    import numpy as np

    known = target >= 0
    true, found = (_chunks(np.where(known, tags, -1), classes) for tags in (target, predicted))
    correct = int(((true >= 0) & (true == found)).sum())
    total = int((true >= 0).sum()) + int((found >= 0).sum())
    return 200.0 * correct / total if total else 100.0


def _chunks(tags: Array, classes: Sequence[str]) -> Array:
    """For tags [N, length], -1 where there is none, a number for the type and end of the chunk that begins at each
    position [N * (length + 1)], or -1."""
    import numpy as np

    begins, types = (np.array(column) for column in zip(*_parsed(classes), strict=True))
    line = np.pad(tags, ((0, 0), (0, 1)), constant_values=-1).reshape(-1)  # so that no chunk crosses rows
    kind = np.where(line >= 0, types[line], -1)
    start = (kind >= 0) & (begins[line] | (kind != np.roll(kind, 1)))
    ends = np.flatnonzero(start | (kind < 0))  # positions before which a chunk may end; the last position is one
    begun = np.flatnonzero(start)
    numbers = np.full(len(line), -1)
    numbers[begun] = ends[np.searchsorted(ends, begun, side="right")] * (types.max() + 1) + kind[begun]
    return numbers


def _parsed(classes: Sequence[str]) -> list[tuple[bool, int]]:
    """Of each tag, whether it always begins a chunk, and the number of its type (-1 for O)."""
    numbers: dict[str, int] = {}
    parsed = []
    for tag in classes:
        prefix, _, kind = tag.partition("-")
        if tag != OUTSIDE and (prefix not in ("B", "I") or not kind):
            raise ValueError(f"chunk_f1: expected tags O, B-type or I-type, got {tag!r}")
        parsed.append((prefix == "B", -1 if tag == OUTSIDE else numbers.setdefault(kind, len(numbers))))
    return parsed
