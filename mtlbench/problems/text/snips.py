"""Intents and slots of spoken commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from ...core.errors import DataError
from ..files import find
from .files import Source, read_lines
from .sequences import Parts, Sentences, Sequences

_FOLDERS = ("train", "dev", "test")
_WORDS, _SLOTS, _INTENTS = "seq.in", "seq.out", "label"


class Snips(Sequences):
    """Intent and slots of spoken commands (SNIPS, ATIS): one label per sentence and a tag for each of its tokens.

    ``intent`` is ranked by accuracy, ``slots`` by the F1 of exactly matched slots. All three splits are fixed by the
    files, so seeds differ only in initial weights and order, unless ``limit`` draws rows.

    Format: folders train, dev and test, each with the files seq.in (words), seq.out (B-type, I-type or O for each
    word) and label (the intent), gzipped or not, one sentence per line. 13,084 / 700 / 700 sentences, 7 intents, 72
    tags.

    Source: Coucke et al., Snips Voice Platform, arXiv 2018; in this form Goo et al., Slot-gated modeling for joint slot
    filling and intent prediction, NAACL 2018.
    """

    path: str = Field(description="the folder that holds the folders train, dev and test")

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """Sentences of one to five words with slots and one of three intents."""
        for part, rows in (("train", 60), ("dev", 20), ("test", 20)):
            lengths = [1 + i % 5 for i in range(rows)]
            lines = {
                "seq.in": [" ".join(f"{part}{i}w{j}" for j in range(n)) for i, n in enumerate(lengths)],
                "seq.out": [" ".join(["B-x", "I-x", "O", "B-y", "O"][:n]) for n in lengths],
                "label": ["abc"[i % 3] for i in range(rows)],
            }
            (folder / part).mkdir(exist_ok=True)
            for name, written in lines.items():
                (folder / part / name).write_text("\n".join(written) + "\n", encoding="utf-8")
        return {"path": ".", "limit": 40, "features": "hashing", "vocabulary": 1_000_000}

    def files(self, root: Path) -> tuple[Path, ...]:
        """Three files of each split. Raises DataError."""
        return tuple(self._file(root, folder, name) for folder in _FOLDERS for name in (_WORDS, _SLOTS, _INTENTS))

    def _file(self, root: Path, folder: str, name: str) -> Path:
        plain = f"{self.path}/{folder}/{name}"
        zipped = f"{plain}.gz"
        return find(root, zipped if (root / Path(zipped).expanduser()).exists() else plain)

    def read(self, root: Path) -> Parts:
        """The sentences of all splits. Raises DataError."""
        return Parts(*(self._part(root, folder) for folder in _FOLDERS))

    def _part(self, root: Path, folder: str) -> Sentences:
        sources = [Source(self._file(root, folder, name)) for name in (_WORDS, _SLOTS, _INTENTS)]
        words, slots, intents = ([line.split() for line in read_lines(source, "utf-8")] for source in sources)
        for source, rows in zip(sources[1:], (slots, intents), strict=True):
            if len(rows) != len(words):
                raise DataError(f"{source}: expected {len(words)} lines as in {sources[0]}, got {len(rows)}")
        for number, (sentence, tags, intent) in enumerate(zip(words, slots, intents, strict=True), 1):
            if not sentence:
                raise DataError(f"{sources[0]}:{number}: expected words, got an empty line")
            if len(tags) != len(sentence):
                raise DataError(f"{sources[1]}:{number}: expected {len(sentence)} tags, one per word, got {len(tags)}")
            if len(intent) != 1:
                raise DataError(f"{sources[2]}:{number}: expected one word, the intent, got {' '.join(intent)!r}")
        labels = {"intent": [intent for (intent,) in intents]}
        return Sentences(sources[0].path, words, {"slots": slots}, labels)
