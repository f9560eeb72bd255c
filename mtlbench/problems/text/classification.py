"""Text classification, each task with a separate corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ...core.digests import Stamp, stamp
from ...core.errors import DataError
from ...core.task import Data, Outline, Split, TaskSpec
from ..base import Problem
from ..given import draw_parts, part_sizes
from ..splits import PARTS, TEST, TRAIN, VALIDATION, Fractions, generator
from .corpora import Corpus, Row
from .words import Words, tokenize

if TYPE_CHECKING:
    from ...core.task import Array


@dataclass(frozen=True)
class _Texts:
    """A corpus in memory: sentences and int64 class indices of each split that has a file, None for the others."""

    path: Path
    spec: TaskSpec
    sentences: list[list[list[str]] | None]
    codes: list[Array | None]
    notes: tuple[str, ...]

    @property
    def rows(self) -> list[int | None]:
        """Rows of each part."""
        return [None if codes is None else len(codes) for codes in self.codes]

    @cached_property
    def keys(self) -> list[list[str]]:
        """The keys by which texts are compared, for each part."""
        return [[" ".join(words) for words in part or ()] for part in self.sentences]


class Text(Words, Problem):
    """Classification of texts (sentiment, topic, spam …), each task with its own corpus: one set of inputs per task.

    ``tasks: {topic: {train: file, test: file}, sentiment: {classes: {negative: file, positive: file}}}``. Two classes
    make a binary task, in the order of ``classes`` or else in alphabetical order, the second being positive. Texts
    are split into lower-case words and single symbols, encoded as int64 token ids [N, length]; one vocabulary is built
    from the training rows of all tasks. Splits without a file are drawn from train anew for each seed, stratified by
    class, in the proportions that ``split`` gives.

    No text is in two splits, not even in those of different tasks: duplicates in train are used once, a text shared by
    several corpora is in the same split of each, and no text of a test or validation file is in any training split.
    """

    tasks: dict[str, Corpus] = Field(min_length=1, description="the corpus of each task, by the task's name")
    length: int = Field(50, ge=1, description="tokens of an input: longer texts are cut, shorter ones padded")
    limit: int | None = Field(None, ge=1, description="at most so many rows of a task in each split (stratified)")
    split: Fractions = Field(Fractions(), description="shares of the splits that have no file")

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """Lines that begin with a label, and a file for each class; few of their words hash to the same token."""
        for part, rows in (("train", 60), ("test", 20)):
            lines = [f"{['LOC', 'NUM', 'HUM'][i % 3]}:x {part} where is place{i} ?" for i in range(rows)]
            (folder / f"{part}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for name in ("bad", "good"):
            (folder / name).write_text("\n".join(f"a {name} film{i} it 's" for i in range(30)), encoding="utf-8")
        topic = {"train": "train.txt", "test": "test.txt", "coarse": True}
        tasks = {"topic": topic, "review": {"classes": {"bad": "bad", "good": "good"}}}
        return {"tasks": tasks, "length": 6, "features": "hashing", "vocabulary": 1_000_000}

    def files(self, root: Path) -> tuple[Path, ...]:
        """All corpus files. Raises DataError."""
        sources = [source for corpus in self.tasks.values() for source in corpus.sources(root).values()]
        return tuple(dict.fromkeys(source.path for source in sources))

    def outline(self, root: Path) -> Outline:
        """Tasks from the labels. Raises DataError."""
        corpora = self._corpora(root)
        totals = [0, 0, 0]
        for texts in corpora:
            sizes = part_sizes(texts.path, texts.rows, self.split, self.limit)
            if sizes[TRAIN] < len(texts.spec.classes):
                raise DataError(
                    f"{texts.path}: expected at least {len(texts.spec.classes)} training rows, one per class, got "
                    f"{sizes[TRAIN]}"
                )
            totals = [max(pair) for pair in zip(totals, sizes, strict=True)]
        notes = (*(note for texts in corpora for note in texts.notes), *_left_out(corpora))
        shapes = dict.fromkeys(self.tasks, (self.length,))
        return Outline(tuple(texts.spec for texts in corpora), shapes, sum(totals), notes, self.vocabulary)

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed; ``outline.vocabulary`` then is the number of ids in use. Raises DataError."""
        outline = self.outline(root)
        taken: list[dict[str, tuple[list[list[str]], Array]]] = [{}, {}, {}]
        for texts, chosen in self._draws(seed, root):
            for part, (source, rows) in zip(taken, chosen, strict=True):
                sentences, codes = texts.sentences[source], texts.codes[source]
                assert sentences is not None
                assert codes is not None
                if not len(rows):
                    raise DataError(
                        f"{texts.path}: expected texts outside the given test and validation files, got none"
                    )
                part[texts.spec.name] = [sentences[row] for row in rows], codes[rows]
        ids = self.fit(sentence[: self.length] for sentences, _ in taken[TRAIN].values() for sentence in sentences)
        splits = {}
        for name, part in zip(PARTS, taken, strict=True):
            inputs = {task: self.encode(sentences, ids, self.length) for task, (sentences, _) in part.items()}
            targets = {spec.name: _target(spec, part[spec.name][1]) for spec in outline.tasks}
            splits[name] = Split(inputs, targets)
        return Data(replace(outline, vocabulary=self.size(ids)), **splits)

    def _draws(self, seed: int, root: Path) -> Iterator[tuple[_Texts, list[tuple[int, Array]]]]:
        """Every corpus and its rows in each split."""
        import numpy as np

        corpora = self._corpora(root)
        places = _given(corpora)
        for texts in corpora:
            fixed = np.array([places.get(key, -1) for key in texts.keys[TRAIN]])
            sizes = part_sizes(texts.path, texts.rows, self.split)
            rng = generator(seed, texts.spec.name)
            chosen = draw_parts(texts.codes, sizes, rng, self.limit, fixed)
            for part, (source, rows) in enumerate(chosen):
                places.update((texts.keys[source][row], part) for row in rows if source == TRAIN)
            yield texts, chosen

    def _corpora(self, root: Path) -> list[_Texts]:
        corpora = []
        for name, corpus in self.tasks.items():
            stamps = tuple(stamp(source.path) for source in corpus.sources(root).values())
            corpora.append(_read(corpus.model_dump_json(), name, root, stamps))
        return corpora


def _target(spec: TaskSpec, codes: Array) -> Array:
    return codes if spec.kind == "classification" else codes.astype("float32")


@lru_cache(maxsize=16)
def _read(config: str, name: str, root: Path, _: tuple[Stamp, ...]) -> _Texts:
    """The corpus of a task, shared by all trials of a process. Raises DataError."""
    import numpy as np

    corpus = Corpus.model_validate_json(config)
    corpus_rows, notes = _usable(corpus.read(root), name)
    sources = corpus.sources(root)
    path = next(iter(sources.values())).path
    labels = {row.label for row in corpus_rows["train"]}
    if len(labels) < 2:
        raise DataError(
            f"{path}: expected texts of at least 2 classes, each line a label and a text, got {len(labels)}"
        )
    classes = tuple(corpus.classes or sorted(labels))
    numbers = {label: code for code, label in enumerate(classes)}
    for part, others in corpus_rows.items():
        unknown = {row.label for row in others} - set(numbers)
        if unknown:
            raise DataError(
                f"{sources[part]}: expected the classes of train, got '{min(unknown)}', which never occurs there"
            )
    parts = [corpus_rows.get(part) for part in PARTS]
    binary = len(classes) == 2
    loss, outputs = ("bce_with_logits", 1) if binary else ("cross_entropy", len(classes))
    return _Texts(
        path,
        TaskSpec(name, outputs, loss, corpus.metrics, classes=classes),
        [None if part is None else [tokenize(row.text) for row in part] for part in parts],
        [None if part is None else np.array([numbers[row.label] for row in part], dtype="int64") for part in parts],
        notes,
    )


def _given(corpora: list[_Texts]) -> dict[str, int]:
    """The split of each text that the files fix: test if any test file has it, else validation, else train."""
    whole = [texts for texts in corpora if None not in texts.rows]
    places = {key: TRAIN for texts in whole for key in texts.keys[TRAIN]}
    for part in (VALIDATION, TEST):
        places.update((key, part) for texts in corpora for key in texts.keys[part])
    return places


def _left_out(corpora: list[_Texts]) -> Iterator[str]:
    """A note on each task whose training texts also occur in test or validation, if its corpus has that file."""
    places = _given(corpora)
    for texts in corpora:
        parts = [places.get(key, TRAIN) for key in texts.keys[TRAIN]]
        lost = sum(part != TRAIN and texts.codes[part] is not None for part in parts)
        if lost:
            yield f"{texts.spec.name}: {lost} training texts that are validation or test texts are left out"


def _usable(corpus_rows: dict[str, list[Row]], name: str) -> tuple[dict[str, list[Row]], tuple[str, ...]]:
    """The rows whose text is not empty, without the duplicates in train, and notes on what was dropped."""
    texts = {part: [row for row in rows if row.text.strip()] for part, rows in corpus_rows.items()}
    empty = sum(map(len, corpus_rows.values())) - sum(map(len, texts.values()))
    first = list({" ".join(tokenize(row.text)): row for row in reversed(texts["train"])}.values())[::-1]
    again = len(texts["train"]) - len(first)
    notes = [f"{name}: {empty} rows without a text are left out"] if empty else []
    notes += [f"{name}: {again} duplicate texts are left out"] if again else []
    return {**texts, "train": first}, tuple(notes)
