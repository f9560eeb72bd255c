"""Image classification from IDX files such as MNIST, EMNIST and Fashion-MNIST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from ...core.config import Config
from ...core.errors import DataError
from ...core.seeding import derive
from ...core.task import Data, Outline, Split, Stream, TaskSpec
from ..files import find
from ..metrics import WithMetrics
from ..splits import PARTS, TEST, TRAIN, Fractions, apportion, assign, generator, keep_classes
from .idx_files import array, images, labels, write_bytes

if TYPE_CHECKING:
    from ...core.task import Array, Shape

UNUSED = 3


class FixedTest(Config):
    """Files of a test split that is the same for every seed."""

    test_images: str | None = Field(None, description="images of a fixed test split; without them one is split off")
    test_labels: str | None = Field(None, description="labels of the fixed test split")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.test_images is None) != (self.test_labels is None):
            raise ValueError("expected test_images and test_labels together, or neither")
        return self


class Files(FixedTest):
    """The files of one task."""

    images: str = Field(description="IDX file of images, gzipped or not")
    labels: str = Field(description="IDX file of their labels")
    transposed: bool = Field(False, description="images are stored column by column, as EMNIST's are")

    @property
    def names(self) -> tuple[str, ...]:
        """All paths that are set."""
        return tuple(name for name in (self.images, self.labels, self.test_images, self.test_labels) if name)


@dataclass(frozen=True)
class Pair:
    """Images of one file, unread, and their labels."""

    path: Path
    shape: Shape
    labels: Array

    @classmethod
    def open(cls, root: Path, image_file: str, label_file: str) -> Pair:
        """Check both files as a whole. Raises DataError."""
        path, label_path = find(root, image_file), find(root, label_file)
        header, label_values = images(path), labels(label_path)
        if header.shape[0] != len(label_values):
            raise DataError(
                f"{label_path}: expected {header.shape[0]} labels, one for each image of {path}, "
                f"got {len(label_values)}"
            )
        return cls(path, header.shape[1:], label_values)


@dataclass(frozen=True)
class Rows:
    """Some rows of a pair; images are converted to float32 in 0 .. 1 only when they are taken."""

    source: Pair
    rows: Array
    targets: Array
    shape: Shape
    transposed: bool

    def take(self, chosen: Array | slice) -> tuple[Array, Array]:
        """Inputs float32 [n, 1, H, W] or [n, H * W], and class indices int64 [n]."""
        pixels = array(self.source.path)[self.rows[chosen]]
        if self.transposed:
            pixels = pixels.swapaxes(1, 2)
        inputs = pixels.astype("float32") / 255
        return inputs.reshape(len(inputs), *self.shape), self.targets[chosen]


class Idx(FixedTest, WithMetrics):
    """MNIST, EMNIST, Fashion-MNIST and other IDX files, gzipped or not; one pair of files, or one pair per task.

    With ``images`` and ``labels`` there is one task, named ``task``; with ``tasks`` each task has separate inputs:
    ``tasks: {letters: {images: …, labels: …}, digits: {…}}``. Inputs are pixel / 255, float32 [N, 1, H, W]. Classes
    are the distinct labels in ascending order. Splits are stratified by class; a fixed test file stays the test split,
    and ``split`` then divides the rest by the shares of train and validation. EMNIST's images are stored ``transposed``
    (mirrored and rotated left), which may be stated for all files or for each task. With ``stream: true`` images stay
    bytes (memory-mapped if not gzipped) and are converted batch by batch; with several tasks each batch then holds the
    same share of every task's rows, and at least one. Source: Cohen et al., EMNIST: Extending MNIST to
    Handwritten Letters, IJCNN 2017 (26 letters of either case, labelled 1 to 26; digits).
    """

    images: str | None = Field(None, description="IDX file of images, for one task")
    labels: str | None = Field(None, description="IDX file of labels, for one task")
    task: str = Field("class", min_length=1, description="name of the one task")
    tasks: dict[str, Files] | None = Field(None, min_length=1, description="files of each of several tasks, by name")
    transposed: bool = Field(False, description="all images are stored column by column, as EMNIST's are")
    flat: bool = Field(False, description="true: vectors of pixels; false: 1xHxW images")
    limit: int | None = Field(None, ge=1, description="at most so many rows in each split (stratified)")
    stream: bool = Field(False, description="yield batches from the files instead of holding all images as float32")
    split: Fractions = Field(Fractions(), description="shares of the splits")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.tasks is None and not (self.images and self.labels):
            raise ValueError("expected images and labels, or tasks")
        if self.tasks is not None and (self.images or self.labels or self.test_images):
            raise ValueError("expected either images and labels, or tasks, got both")
        return self

    def _pairs(self) -> Mapping[str, Files]:
        if self.tasks is not None:
            turned = {"transposed": True} if self.transposed else {}
            return {name: files.model_copy(update=turned) for name, files in self.tasks.items()}
        return {self.task: Files.model_validate({name: getattr(self, name) for name in Files.model_fields})}

    def _shape(self, pair: Pair, files: Files) -> Shape:
        """The shape of one input."""
        height, width = reversed(pair.shape) if files.transposed else pair.shape
        return (height * width,) if self.flat else (1, height, width)

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """120 noise images of ten digits, and 40 of a fixed test split."""
        import numpy as np

        chance, names = np.random.default_rng(0), {}
        for part, rows in (("", 120), ("test_", 40)):
            pixels = chance.integers(0, 256, (rows, 7, 7))
            names[f"{part}images"] = write_bytes(folder / f"{part}images", pixels)
            names[f"{part}labels"] = write_bytes(folder / f"{part}labels", np.arange(rows) % 10)
        return {**names, "task": "digit", "limit": 30}

    def files(self, root: Path) -> tuple[Path, ...]:
        """All image and label files. Raises DataError."""
        return tuple(find(root, name) for pair in self._pairs().values() for name in pair.names)

    def outline(self, root: Path) -> Outline:
        """Tasks from the labels; every file is read once, so that damage is detected early. Raises DataError."""
        tasks, shapes, labelled = [], {}, {}
        totals = [0, 0, 0]
        for name, files in self._pairs().items():
            train, test = _open(root, files)
            classes = sorted(set(train.labels.tolist()))
            sizes = self._sizes(len(train.labels), len(test.labels) if test else None)
            _check(find(root, files.labels), classes, sizes)
            tasks.append(TaskSpec(name, len(classes), "cross_entropy", classes=tuple(map(str, classes))))
            shapes[name], labelled[name] = self._shape(train, files), sizes[TRAIN]
            totals = [max(pair) for pair in zip(totals, sizes, strict=True)]
        shared = shapes[self.task] if self.tasks is None else shapes
        return self.ranked(Outline(tuple(tasks), shared, sum(totals), labelled=labelled))

    def _sizes(self, rows: int, test_rows: int | None) -> tuple[int, int, int]:
        train, validation, test = self.split.counts(rows)
        if test_rows is not None:
            train, validation, _ = apportion(rows, (self.split.train, self.split.validation, 0))
            test = test_rows
        limit = self.limit or rows + (test_rows or 0)
        return min(train, limit), min(validation, limit), min(test, limit)

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        outline = self.outline(root)
        parts: list[dict[str, Rows]] = [{}, {}, {}]
        for name, files in self._pairs().items():
            for part, rows in zip(parts, self._draw(seed, root, name, files), strict=True):
                part[name] = rows
        shared = self.tasks is None
        make = _stream if self.stream else _split
        return Data(outline, **{name: make(part, shared) for name, part in zip(PARTS, parts, strict=True)})

    def _draw(self, seed: int, root: Path, name: str, files: Files) -> tuple[Rows, ...]:
        """The rows of each split for one task."""
        import numpy as np

        train, test = _open(root, files)
        classes = np.unique(train.labels)
        codes, rng = np.searchsorted(classes, train.labels), generator(seed, name)
        sizes = self._sizes(len(codes), len(test.labels) if test else None)
        used = sizes if test is None else sizes[:TEST]
        part = assign(codes, (*used, *[0] * (UNUSED - len(used)), len(codes) - sum(used)), rng)
        keep_classes(part, codes)
        chosen = [np.flatnonzero(part == number) for number in range(UNUSED)]
        form = self._shape(train, files), files.transposed
        rows = [Rows(train, index, codes[index], *form) for index in chosen]
        if test is not None:
            codes = np.searchsorted(classes, test.labels)
            index = np.flatnonzero(assign(codes, (sizes[TEST], len(codes) - sizes[TEST]), rng) == 0)
            rows[TEST] = Rows(test, index, codes[index], *form)
        return tuple(rows)


def _open(root: Path, files: Files) -> tuple[Pair, Pair | None]:
    """The training pair and the fixed test pair, if any, of one task, checked for consistency. Raises DataError."""
    train = Pair.open(root, files.images, files.labels)
    if files.test_images is None or files.test_labels is None:
        return train, None
    test = Pair.open(root, files.test_images, files.test_labels)
    if test.shape != train.shape:
        raise DataError(f"{test.path}: expected images of {train.shape} pixels as in {train.path}, got {test.shape}")
    unknown = set(test.labels.tolist()) - set(train.labels.tolist())
    if unknown:
        raise DataError(
            f"{find(root, files.test_labels)}: expected the classes of {find(root, files.labels)}, "
            f"got {min(unknown)}, which never occurs there"
        )
    return train, test


def _check(path: Path, classes: list[int], sizes: tuple[int, int, int]) -> None:
    """Raise DataError if the labels do not suffice for a classification with three splits."""
    if len(classes) < 2:
        raise DataError(f"{path}: expected labels of at least 2 classes, got one class only, {classes[0]}")
    if min(sizes) < 1:
        raise DataError(f"{path}: expected rows for each split, got {dict(zip(PARTS, sizes, strict=True))}")
    if sizes[TRAIN] < len(classes):
        raise DataError(f"{path}: expected at least {len(classes)} training rows, one per class, got {sizes[TRAIN]}")


def _split(part: Mapping[str, Rows], shared: bool) -> Split:
    """All rows, in memory."""
    return _batch(part, dict.fromkeys(part, slice(None)), shared)


def _batch(part: Mapping[str, Rows], chosen: Mapping[str, Array | slice], shared: bool) -> Split:
    taken = {name: rows.take(chosen[name]) for name, rows in part.items()}
    inputs = {name: pixels for name, (pixels, _) in taken.items()}
    targets = {name: codes for name, (_, codes) in taken.items()}
    return Split(next(iter(inputs.values())) if shared else inputs, targets)


@dataclass(frozen=True)
class RowStream(Stream):
    """A stream that is batched anew when restricted to some tasks, as if the problem had no others."""

    rows: Mapping[str, Rows]
    shared: bool

    def only(self, names: tuple[str, ...]) -> Stream:
        """The stream of these tasks' rows."""
        return _stream({name: self.rows[name] for name in names}, self.shared)


def _stream(part: Mapping[str, Rows], shared: bool) -> Stream:
    """The same rows as ``_split``, a batch at a time; in the same order if the seed is None."""
    size = max(len(rows.rows) for rows in part.values())

    def batches(batch_size: int, seed: int | None) -> Iterator[Split]:
        steps = -(-size // batch_size)
        pieces = {name: _pieces(len(rows.rows), steps, name, seed) for name, rows in part.items()}
        for step in range(steps):
            yield _batch(part, {name: piece[step] for name, piece in pieces.items()}, shared)

    return RowStream(size, batches, part, shared)


def _pieces(size: int, steps: int, name: str, seed: int | None) -> list[Array]:
    """The rows of each step: each row once, but at least one row in each training step (where there is a seed)."""
    import numpy as np

    order = np.arange(size)
    if seed is not None:
        np.random.default_rng(derive(seed, "order", name)).shuffle(order)
    starts = [step * size // steps for step in range(steps + 1)]
    fewest = 0 if seed is None else 1
    return [order[low : max(low + fewest, high)] for low, high in pairwise(starts)]
