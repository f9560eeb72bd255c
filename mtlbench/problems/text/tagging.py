"""Tags in columns, as in the shared tasks of CoNLL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from ...core.errors import DataError
from .files import Source, locate, read_lines
from .sequences import Parts, Sentences, Sequences

_DOCUMENT = "-DOCSTART-"  # the line between documents of CoNLL-2003


class Tagging(Sequences):
    """Part-of-speech and chunk tags (or other columns) for every token, on the same sentences.

    Format: one token per line, its word and tags in columns separated by whitespace, an empty line between sentences:
    ``Confidence NN B-NP``. Every task is a column, int64 [N, length]; a column of B-type, I-type and O is ranked by
    chunk F1, others by accuracy. Splits without a file are drawn from train for each seed.

    Source: Tjong Kim Sang and Buchholz, Introduction to the CoNLL-2000 shared task: chunking, CoNLL 2000.
    """

    train: str = Field(description="file of training sentences, or of all sentences")
    validation: str | None = Field(
        None, description="file of validation sentences; without it they are drawn from train"
    )
    test: str | None = Field(None, description="file of test sentences; without it they are drawn from train")
    word: int = Field(0, ge=0, description="column of the words, counted from 0")
    columns: dict[str, int] = Field({"pos": 1, "chunk": 2}, min_length=1, description="column of each task's tags")
    encoding: str = Field("utf-8", description="text encoding of the files")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        used = [self.word, *self.columns.values()]
        if min(used) < 0 or len(set(used)) < len(used):
            raise ValueError(f"expected different columns from 0, got word {self.word} and {self.columns}")
        return self

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """Sentences of one to seven words with parts of speech and chunks."""
        kinds, chunks = ("NN", "VB"), ("B-NP", "I-NP", "O")
        for part, rows in (("train", 60), ("test", 20)):
            sentences = [
                "".join(f"{part}{i}w{j} {kinds[(i + j) % 2]} {chunks[j % 3]}\n" for j in range(1 + i % 7))
                for i in range(rows)
            ]
            (folder / f"{part}.txt").write_text("\n".join(sentences), encoding="utf-8")
        return {"train": "train.txt", "test": "test.txt", "features": "hashing", "vocabulary": 1_000_000}

    def _sources(self, root: Path) -> list[Source | None]:
        return [None if name is None else locate(root, name) for name in (self.train, self.validation, self.test)]

    def files(self, root: Path) -> tuple[Path, ...]:
        """All files, or the archives they are in. Raises DataError."""
        return tuple(dict.fromkeys(source.path for source in self._sources(root) if source is not None))

    def read(self, root: Path) -> Parts:
        """The sentences of all files. Raises DataError."""
        train, *others = self._sources(root)
        assert train is not None
        validation, test = (None if source is None else self._part(source) for source in others)
        return Parts(self._part(train), validation, test)

    def _part(self, source: Source) -> Sentences:
        sentences = list(self._sentences(source))
        if not sentences:
            raise DataError(f"{source}: expected sentences, got empty lines alone")
        words = [[cells[self.word] for cells in sentence] for sentence in sentences]
        tags = {
            name: [[cells[column] for cells in sentence] for sentence in sentences]
            for name, column in self.columns.items()
        }
        return Sentences(source.path, words, tags)

    def _sentences(self, source: Source) -> Iterator[list[list[str]]]:
        """The cells of every token of every sentence."""
        width = 0
        sentence: list[list[str]] = []
        last = max(self.word, *self.columns.values())
        for number, line in enumerate(read_lines(source, self.encoding), 1):
            cells = line.split()
            if not cells or cells[0] == _DOCUMENT:
                if sentence:
                    yield sentence
                sentence = []
                continue
            width = width or len(cells)
            if len(cells) != width or len(cells) <= last:
                wanted = f"{width} columns as in the lines before" if len(cells) != width else f"a column {last}"
                raise DataError(f"{source}:{number}: expected {wanted}, got {len(cells)} columns in {line.strip()!r}")
            sentence.append(cells)
        if sentence:
            yield sentence
