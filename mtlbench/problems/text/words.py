"""Words and their ids: a tokenizer, a vocabulary built from training rows, or a hash of the word."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ...core.config import Config

if TYPE_CHECKING:
    from ...core.task import Array

PADDING, UNKNOWN = 0, 1
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")

Sentence = Sequence[str]


def tokenize(text: str) -> list[str]:
    """Lower-case words (letters, digits, _, and apostrophes between them) and single symbols."""
    return _WORD.findall(text.lower())


class Words(Config):
    """How words become ids: int64, 0 is padding.

    vocabulary  the most frequent words of the training rows, in order of frequency (then of the alphabet), get the ids
                2, 3 …; all other words share id 1
    hashing     2 + crc32(word) mod (vocabulary - 2): nothing is fitted, and colliding words share an id
    """

    features: Literal["vocabulary", "hashing"] = Field(
        "vocabulary", description="ids of the words of the training rows, or hashes of words"
    )
    vocabulary: int = Field(20_000, ge=3, description="maximum number of ids, padding and unknown words included")
    min_count: int = Field(2, ge=1, description="how often a word must occur in the training rows to get an id")

    def fit(self, sentences: Iterable[Sentence]) -> dict[str, int]:
        """The ids of the training rows' words that are in the vocabulary; empty with hashing."""
        if self.features == "hashing":
            return {}
        counts = Counter(word for sentence in sentences for word in sentence)
        often = sorted((-count, word) for word, count in counts.items() if count >= self.min_count)
        return {word: UNKNOWN + 1 + i for i, (_, word) in enumerate(often[: self.vocabulary - UNKNOWN - 1])}

    def size(self, ids: Mapping[str, int]) -> int:
        """The number of ids in use after ``fit``."""
        return self.vocabulary if self.features == "hashing" else UNKNOWN + 1 + len(ids)

    def encode(self, sentences: Sequence[Sentence], ids: Mapping[str, int], length: int) -> Array:
        """Ids int64 [N, length]: longer sentences are cut, shorter ones padded at the end."""
        import numpy as np

        encoded = np.full((len(sentences), length), PADDING, dtype="int64")
        for row, sentence in enumerate(sentences):
            word_ids = [self._id(word, ids) for word in sentence[:length]]
            encoded[row, : len(word_ids)] = word_ids
        return encoded

    def _id(self, word: str, ids: Mapping[str, int]) -> int:
        if self.features == "hashing":
            return UNKNOWN + 1 + zlib.crc32(word.encode()) % (self.vocabulary - UNKNOWN - 1)
        return ids.get(word, UNKNOWN)
