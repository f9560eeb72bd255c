"""What problems on sentences have in common: a tag for every token, or one label per sentence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from ...core.digests import Stamp, stamp
from ...core.errors import DataError
from ...core.metrics.chunks import is_chunk_tag
from ...core.task import Data, Outline, Split, TaskSpec
from ..given import draw_parts, part_sizes
from ..metrics import WithMetrics
from ..splits import PARTS, TRAIN, Fractions, generator
from .words import PADDING, Words

if TYPE_CHECKING:
    from ...core.task import Array


@dataclass(frozen=True)
class Sentences:
    """The sentences of one part: their words, and by task the tags of each word and the labels of each sentence."""

    path: Path
    words: list[list[str]]
    tags: Mapping[str, list[list[str]]]
    labels: Mapping[str, list[str]] = field(default_factory=dict)


class Parts(NamedTuple):
    """The sentences of each split; None where it has no file."""

    train: Sentences
    validation: Sentences | None
    test: Sentences | None


class Sequences(Words, WithMetrics):
    """Tags at every token and labels of sentences, on the same sentences: token ids int64 [N, length].

    Classes are those of all files, in order of the alphabet; the vocabulary is that of the training rows of a seed.
    """

    lower: bool = Field(True, description="words in lower case")
    length: int | None = Field(None, ge=1, description="tokens of an input; default: those of the longest sentence")
    limit: int | None = Field(None, ge=1, description="at most so many rows in each split")
    split: Fractions = Field(Fractions(), description="shares of the splits that have no file")

    @abstractmethod
    def read(self, root: Path) -> Parts:
        """The sentences of all files. Raises DataError."""

    def outline(self, root: Path) -> Outline:
        """Tasks from the tags and labels. Raises DataError."""
        parts = _read(self, root)
        present = [part for part in parts if part is not None]
        length = self._length(parts)
        tasks = [_label_task(name, present) for name in parts.train.labels]
        tasks += [tag_task(name, _classes(name, present), length) for name in parts.train.tags]
        sizes = part_sizes(parts.train.path, _rows(parts), self.split, self.limit)
        cut = sum(len(words) > length for part in present for words in part.words)
        notes = (f"{cut} sentences are longer than {length} tokens and are cut",) if cut else ()
        return self.ranked(Outline(tuple(tasks), (length,), sum(sizes), notes, self.vocabulary))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed; ``outline.vocabulary`` then is the number of ids in use. Raises DataError."""
        parts, outline = _read(self, root), self.outline(root)
        strata = [None if part is None else _strata(part, outline) for part in parts]
        sizes = part_sizes(parts.train.path, _rows(parts), self.split)
        drawn = draw_parts(strata, sizes, generator(seed), self.limit)
        chosen = [(parts[source] or parts.train, rows) for source, rows in drawn]
        length = self._length(parts)
        sentences = [[self._words(part.words[row]) for row in rows] for part, rows in chosen]
        ids = self.fit(sentence[:length] for sentence in sentences[TRAIN])
        splits = {}
        for name, words, (part, rows) in zip(PARTS, sentences, chosen, strict=True):
            inputs = self.encode(words, ids, length)
            targets = {task.name: _target(task, part, rows) for task in outline.tasks}
            real = inputs != PADDING
            tagged = [task.name for task in outline.tasks if task.positions and not real.all()]
            splits[name] = Split(inputs, targets, dict.fromkeys(tagged, real))
        return Data(replace(outline, vocabulary=self.size(ids)), **splits)

    def _length(self, parts: Parts) -> int:
        return self.length or max(len(words) for part in parts if part is not None for words in part.words)

    def _words(self, words: list[str]) -> list[str]:
        return [word.lower() for word in words] if self.lower else words


def tag_task(name: str, tags: Sequence[str], length: int) -> TaskSpec:
    """A task of tags at every token: chunk F1 ranks where all tags are O, B-type or I-type, else accuracy."""
    metrics = ("chunk_f1", "accuracy") if all(map(is_chunk_tag, tags)) else ()
    return TaskSpec(name, len(tags), "cross_entropy", metrics, classes=tuple(tags), positions=(length,))


def _label_task(name: str, parts: Sequence[Sentences]) -> TaskSpec:
    """A task with one label per sentence. Raises DataError for a class that train lacks."""
    train, *others = (set(part.labels[name]) for part in parts)
    for part, labels in zip(parts[1:], others, strict=True):
        if labels - train:
            raise DataError(
                f"{part.path}: expected the classes of {parts[0].path}, got '{min(labels - train)}', "
                "which never occurs there"
            )
    classes = _two(name, parts[0].path, train)
    return TaskSpec(name, len(classes), "cross_entropy", classes=classes)


def _classes(name: str, parts: Sequence[Sentences]) -> tuple[str, ...]:
    return _two(name, parts[0].path, {tag for part in parts for tags in part.tags[name] for tag in tags})


def _two(name: str, path: Path, names: Iterable[str]) -> tuple[str, ...]:
    classes = tuple(sorted(names))
    if len(classes) < 2:
        raise DataError(f"{path}: expected at least 2 classes of '{name}', got {', '.join(classes)} alone")
    return classes


def _rows(parts: Parts) -> list[int | None]:
    return [None if part is None else len(part.words) for part in parts]


def _strata(part: Sentences, outline: Outline) -> Array:
    """The strata for drawing splits: the classes of the first task with one label per sentence, if there is one."""
    import numpy as np

    task = next((task for task in outline.tasks if not task.positions), None)
    everything = np.arange(len(part.words))
    return np.zeros(len(everything), dtype="int64") if task is None else _target(task, part, everything)


def _target(task: TaskSpec, part: Sentences, rows: Array) -> Array:
    """Class indices int64 [N], or [N, length] with 0 beyond the end of a sentence."""
    import numpy as np

    numbers = {label: code for code, label in enumerate(task.classes)}
    encoded = np.zeros((len(rows), *task.positions), dtype="int64")
    for i, row in enumerate(rows):
        if task.positions:
            tags = part.tags[task.name][row][: task.positions[0]]
            encoded[i, : len(tags)] = [numbers[tag] for tag in tags]
        else:
            encoded[i] = numbers[part.labels[task.name][row]]
    return encoded


def _read(problem: Sequences, root: Path) -> Parts:
    stamps = tuple(stamp(path) for path in problem.files(root))
    return _cached(type(problem), problem.model_dump_json(), root, stamps)


@lru_cache(maxsize=4)
def _cached(kind: type[Sequences], config: str, root: Path, _: tuple[Stamp, ...]) -> Parts:
    """The files of a configuration, shared by all trials of a process."""
    return kind.model_validate_json(config).read(root)
