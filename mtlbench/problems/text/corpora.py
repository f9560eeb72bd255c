"""Corpora of labelled texts: lines of label and text, tables, or a file per class."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from ...core.config import Config
from ...core.errors import DataError, did_you_mean
from ...core.metrics import MetricNames, misfit
from ...core.metrics.base import CLASSES
from ..names import Name, composed
from .files import Source, locate, read_lines

Format = Literal["lines", "csv", "tsv"]


class Row(NamedTuple):
    """A labelled text, which may be empty."""

    label: str
    text: str


class Corpus(Config):
    """The files of one task.

    lines     a label, whitespace, the text: the question classes of TREC (``LOC:city What county …``), the SMS Spam
              Collection (``ham<TAB>Ok …``), the sentence collections of Kim, 2014 (``1 a stirring , funny …``)
    csv, tsv  a header line, a column of texts and one of labels
    classes   ``{negative: file, positive: file}``, one text per line, as in the film reviews of Pang and Lee

    A path may lead into a zip archive: ``corpora.zip/folder/train.txt``. Empty lines are skipped.
    """

    train: str | None = Field(None, description="file of training rows, or of all rows")
    classes: dict[str, str] | None = Field(None, min_length=2, description="instead of train: one file per class")
    validation: str | None = Field(None, description="file of validation rows; without it they are drawn from train")
    test: str | None = Field(None, description="file of test rows; without it they are drawn from train")
    format: Format | None = Field(None, description="lines, csv or tsv; default: by the file's name, else lines")
    text: Name = Field("text", description="csv, tsv: column of texts")
    label: Name = Field("label", description="csv, tsv: column of labels")
    coarse: bool = Field(False, description="labels end before their first ':', as in TREC's LOC:city")
    encoding: str = Field("utf-8", description="text encoding of the files")
    metrics: MetricNames = Field((), description="metrics of classes; the first one ranks methods")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.train is None) == (self.classes is None):
            raise ValueError("expected train, a file of labelled rows, or classes, a file for each class")
        if self.classes is not None and (self.validation or self.test):
            raise ValueError("expected no validation or test file with classes: splits are drawn from their files")
        return self

    @model_validator(mode="after")
    def _of_classes(self) -> Self:
        for metric in self.metrics:
            if fault := misfit(metric, *CLASSES):
                raise ValueError(f"metrics: {fault}")
        return self

    def sources(self, root: Path) -> dict[str, Source]:
        """All files, by class or by split. Raises DataError."""
        named: Mapping[str, str | None] = self.classes or {
            "train": self.train, "validation": self.validation, "test": self.test
        }  # fmt: skip
        return {name: locate(root, path) for name, path in named.items() if path is not None}

    def read(self, root: Path) -> dict[str, list[Row]]:
        """The rows of each split that has a file of its own ("train" always). Raises DataError."""
        sources = self.sources(root)
        if self.classes is None:
            return {name: self._rows(source) for name, source in sources.items()}
        return {"train": [row for name, source in sources.items() for row in self._of_class(name, source)]}

    def _rows(self, source: Source) -> list[Row]:
        suffix = Path(str(source).removesuffix(".gz")).suffix.removeprefix(".")
        form = self.format or (suffix if suffix in ("csv", "tsv") else "lines")
        rows = list(self._of_lines(source) if form == "lines" else self._of_table(source, form))
        return [Row(label.split(":")[0], text) for label, text in rows] if self.coarse else rows

    def _of_class(self, name: str, source: Source) -> Iterator[Row]:
        for line in read_lines(source, self.encoding):
            if line.strip():
                yield Row(name, line)

    def _of_lines(self, source: Source) -> Iterator[Row]:
        for line in read_lines(source, self.encoding):
            parts = line.split(maxsplit=1)
            if parts:
                yield Row(parts[0], parts[1] if len(parts) > 1 else "")

    def _of_table(self, source: Source, form: str) -> Iterator[Row]:
        reader = csv.reader(
            (line + "\n" for line in read_lines(source, self.encoding)), delimiter="\t" if form == "tsv" else ","
        )
        try:
            header = next(reader)
            places = [self._place(source, header, name) for name in (self.label, self.text)]
            for cells in filter(None, reader):
                if len(cells) != len(header):
                    raise DataError(
                        f"{source}:{reader.line_num}: expected {len(header)} columns as in the header, got {len(cells)}"
                    )
                label, text = (cells[place].strip() for place in places)
                if not label:
                    raise DataError(f"{source}:{reader.line_num}: expected a label, got an empty cell")
                yield Row(label, text)
        except csv.Error as error:
            raise DataError(f"{source}:{reader.line_num}: cannot be read as {form} ({error})") from error

    def _place(self, source: Source, header: list[str], name: str) -> int:
        names = list(map(composed, header))
        if names.count(name) != 1:
            found = f"got {names.count(name)} of that name" if name in names else did_you_mean(name, names)
            raise DataError(f"{source}:1: expected a column '{name}': {found}")
        return names.index(name)
