"""Spans of tags (chunks, slots, entities) and how many of them a tagger finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .base import Kind, RowMetric

if TYPE_CHECKING:
    import numpy as np

    from ..task import TaskSpec

    Array = np.ndarray[Any, Any]

OUTSIDE = "O"


class ChunkF1(RowMetric):
    """F1 of exactly found chunks: the same first token, the same last token and the same type.

        F1 = 2 correct / (found + true),   counted over all types together; 100 % where there is nothing to find

    Classes are the tags: O, B-type or I-type. A chunk begins at B-type, and at an I-type that does not continue a chunk
    of its type (so IOB1 is read too); it ends before the next beginning or O. A position whose target is below 0 has no
    tag, and ends chunks.

    Source: Tjong Kim Sang and Buchholz, Introduction to the CoNLL-2000 shared task: chunking, CoNLL 2000 (conlleval).
    """

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = ("classification",)
    unit: ClassVar[str] = "%"

    def needs(self, task: TaskSpec) -> str:
        """Tags of chunks along a sentence."""
        if len(task.positions) != 1:
            return "a tag at every token"
        return "" if task.classes and all(map(is_chunk_tag, task.classes)) else "tags O, B-type or I-type alone"

    def compute(self, target: Array, predicted: Array, classes: Sequence[str]) -> float:
        """Rows [N, length]. Raises ValueError for other tags."""
        import numpy as np

        known = target >= 0
        true, found = (_chunks(np.where(known, tags, -1), classes) for tags in (target, predicted))
        correct = int(((true >= 0) & (true == found)).sum())
        total = int((true >= 0).sum()) + int((found >= 0).sum())
        return 200.0 * correct / total if total else 100.0

    def oracle(self, target: Array, predicted: Array, classes: Sequence[str]) -> float:
        """Chunks listed row by row."""
        correct = total = 0
        for gold, guess in zip(target.tolist(), predicted.tolist(), strict=True):
            tagged = [[classes[tag] if label >= 0 else "" for tag, label in zip(tags, gold, strict=True)]
                      for tags in (gold, guess)]  # fmt: skip
            true, found = map(_listed, tagged)
            correct, total = correct + len(true & found), total + len(true) + len(found)
        return 200 * correct / total if total else 100.0

    def sample(self, rng: np.random.Generator, rows: int) -> tuple[Array, Array, Sequence[str]]:
        """Rows of tags of two types, of which a tenth is unknown and two thirds are predicted."""
        import numpy as np

        classes = (OUTSIDE, "B-NP", "I-NP", "B-VP", "I-VP")
        drawn, others = rng.integers(0, len(classes), (2, rows, 7))
        predicted = np.where(rng.random(drawn.shape) < 2 / 3, drawn, others)
        return np.where(rng.random(drawn.shape) < 0.9, drawn, -1), predicted, classes


def is_chunk_tag(tag: str) -> bool:
    """Whether a tag is O, B-type or I-type."""
    prefix, _, kind = tag.partition("-")
    return tag == OUTSIDE or (prefix in ("B", "I") and bool(kind))


def _listed(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """(first, last, type) of each chunk of one row; an empty tag is a position without one."""
    chunks: set[tuple[int, int, str]] = set()
    start, kind = -1, ""
    for i, tag in enumerate([*tags, OUTSIDE]):
        inside = tag not in ("", OUTSIDE)
        if start >= 0 and (not inside or tag[0] == "B" or tag[2:] != kind):
            chunks.add((start, i - 1, kind))
            start = -1
        if inside and start < 0:
            start, kind = i, tag[2:]
    return chunks


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
        if not is_chunk_tag(tag):
            raise ValueError(f"chunk_f1: expected tags O, B-type or I-type, got {tag!r}")
        parsed.append((prefix == "B", -1 if tag == OUTSIDE else numbers.setdefault(kind, len(numbers))))
    return parsed
