"""Handwritten letters and handwritten digits: two tasks with separate images."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ...core.digests import Stamp, stamp
from ...core.errors import DataError
from ...core.task import Data, Outline, TaskSpec
from ..assemble import assemble_sets
from ..files import find, opened
from ..metrics import WithMetrics
from ..splits import TRAIN, Fractions, assign, generator, keep_classes
from .files import Members, encoded, pack, resized, sources
from .idx import Pair
from .idx_files import array
from .multidigits import mnist_file

if TYPE_CHECKING:
    from ...core.task import Array

    Images = tuple[Array, Array]  # float32 [N, 28, 28], and the class of each by name

SIDE = 28
SMALLEST = 5  # pixels per side: anything smaller is a scanning error, not a character
DIGIT = "DIGIT_"
LETTERS = {"capital": ("CAP_",), "small": ("SMALL_",), "both": ("CAP_", "SMALL_")}
PNG = (".png",)


class Characters(WithMetrics):
    """Handwritten letters (26 classes) and handwritten digits (10): two tasks with separate images.

    Scans of single characters on paper: the paper's grey (the median) becomes 0 and the darkest ink 1; the image is
    centred on a square and resized to 28x28. Inputs float32 [N, 1, 28, 28] in 0 .. 1, white on black like MNIST's.
    ``letters: both`` merges the two cases of a letter into one class, as EMNIST Letters does. Images less than 5 pixels
    high or wide are dropped, with a note. With ``mnist`` the digits come from MNIST's training file instead, as many as
    make ``images`` in all, drawn for each seed. Splits are drawn for each seed, stratified by class; writers are not
    separated, since the files do not identify them. For EMNIST's files use problem ``idx`` with ``tasks`` and
    ``transposed``.

    Format: a folder with ``labels.csv`` (columns image, label; labels CAP_A, SMALL_a, DIGIT_0) and the images, PNG, in
    ``archive``, a tar or a folder. Source: 5,738 scans of 62 characters, public on GitHub under the MIT licence; LeCun,
    Cortes and Burges, The MNIST Database of Handwritten Digits, 1998 (CC BY-SA 3.0).
    """

    path: str = Field(description="folder with labels.csv")
    archive: str = Field("images_gray.tar.gz", description="tar archive or folder of the images, within path")
    letters: Literal["both", "capital", "small"] = Field("both", description="which letters; both: cases are one class")
    mnist: str | None = Field(None, description="folder of MNIST's IDX files to take the digits from")
    images: int = Field(7000, ge=100, description="images of letters and digits in all, where digits are MNIST's")
    split: Fractions = Field(Fractions(), description="shares of the splits")

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """130 noise scans, ten each of three letters and ten digits."""
        import numpy as np

        chance, labels = np.random.default_rng(8), ["CAP_A", "CAP_B", "SMALL_a", *(f"DIGIT_{i}" for i in range(10))]
        scans = {f"{i}.png": encoded(chance.integers(0, 256, (9 + i % 5, 8), dtype="u1")) for i in range(130)}
        lines = ["image,label", *(f"{name},{labels[i % 13]}" for i, name in enumerate(scans))]
        (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
        return {"path": ".", "archive": pack(folder / "scans.tar", scans)}

    def files(self, root: Path) -> tuple[Path, ...]:
        """Labels, images, and MNIST's training files where they are used. Raises DataError."""
        folder = root / Path(self.path).expanduser()
        return (find(folder, "labels.csv"), *sources(folder / self.archive, PNG), *self._mnist_files(root))

    def outline(self, root: Path) -> Outline:
        """Two classifications. Raises DataError."""
        scans = self._scans(root)
        letters, digits = sorted(set(scans.letters(self.letters)[1])), [str(digit) for digit in range(10)]
        names = {"letters": tuple(letters), "digits": tuple(digits)}
        tasks = tuple(TaskSpec(task, len(classes), "cross_entropy", classes=classes) for task, classes in names.items())
        sizes = [self.split.counts(rows) for rows in self._rows(root, scans)]
        rows = sum(max(part) for part in zip(*sizes, strict=True))
        labelled = {name: size[TRAIN] for name, size in zip(names, sizes, strict=True)}
        outline = Outline(tasks, dict.fromkeys(names, (1, SIDE, SIDE)), rows, scans.notes, labelled=labelled)
        return self.ranked(outline)

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        import numpy as np

        outline, scans = self.outline(root), self._scans(root)
        scanned = {"letters": scans.letters(self.letters), "digits": self._digits(seed, root, scans)}
        parts, targets = {}, {}
        for task in outline.tasks:
            codes = np.searchsorted(task.classes, scanned[task.name][1])
            part = assign(codes, self.split.counts(len(codes)), generator(seed, task.name))
            keep_classes(part, codes)
            parts[task.name], targets[task.name] = part, codes
        return assemble_sets(outline, {name: images[:, None] for name, (images, _) in scanned.items()}, targets, parts)

    def _scans(self, root: Path) -> Scans:
        folder = root / Path(self.path).expanduser()
        files = (find(folder, "labels.csv"), *sources(folder / self.archive, PNG))
        return _read(folder, self.archive, tuple(map(stamp, files)))

    def _mnist_files(self, root: Path) -> tuple[Path, ...]:
        if self.mnist is None:
            return ()
        folder = root / Path(self.mnist).expanduser()
        return tuple(mnist_file(folder, f"train-{kind}") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))

    def _mnist(self, root: Path) -> Pair | None:
        files = self._mnist_files(root)
        pair = Pair.open(Path(), *map(str, files)) if files else None
        if pair and (pair.shape != (SIDE, SIDE) or set(pair.labels.tolist()) != set(range(10))):
            raise DataError(
                f"{pair.path}: expected MNIST's images of {SIDE}x{SIDE} pixels and labels 0 .. 9, got {pair.shape} "
                f"pixels and labels {sorted(set(pair.labels.tolist()))}"
            )
        return pair

    def _rows(self, root: Path, scans: Scans) -> tuple[int, int]:
        """The number of letters and of digits. Raises DataError if MNIST cannot supply as many digits as needed."""
        letters, mnist = len(scans.letters(self.letters)[1]), self._mnist(root)
        if mnist is None:
            return letters, len(scans.digits[1])
        least = 10 * self.split.fewest_rows
        if not least <= self.images - letters <= len(mnist.labels):
            raise DataError(
                f"{mnist.path}: expected images to leave {least} to {len(mnist.labels)} digits beside {letters} "
                f"letters, got images: {self.images}"
            )
        return letters, self.images - letters

    def _digits(self, seed: int, root: Path, scans: Scans) -> Images:
        mnist = self._mnist(root)
        if mnist is None:
            return scans.digits
        count = self._rows(root, scans)[1]
        drawn = assign(mnist.labels, (count, len(mnist.labels) - count), generator(seed, "mnist")) == 0
        return array(mnist.path)[drawn].astype("float32") / 255, mnist.labels[drawn].astype(str)


@dataclass(frozen=True)
class Scans:
    """All usable scans, float32 [N, 28, 28], their labels [N], and notes on dropped ones."""

    images: Array
    labels: Array
    notes: tuple[str, ...]

    @property
    def digits(self) -> Images:
        """Digits, and their names 0 .. 9."""
        return self._of(DIGIT)

    def letters(self, which: str) -> Images:
        """Letters of these cases, and their names A .. Z."""
        return self._of(*LETTERS[which])

    def _of(self, *prefixes: str) -> Images:
        import numpy as np

        chosen = np.array([label.startswith(prefixes) for label in self.labels])
        return self.images[chosen], np.array([label.rpartition("_")[2].upper() for label in self.labels[chosen]])


@lru_cache(maxsize=2)
def _read(folder: Path, archive: str, _: tuple[Stamp, ...]) -> Scans:
    """The scans of a folder. Raises DataError."""
    import numpy as np

    members = Members.open(folder / archive, PNG)
    images, labels, small = [], [], 0
    for name, label in _labels(folder / "labels.csv"):
        if name not in members.content:
            raise DataError(
                f"{folder / archive}: expected image '{name}', which {folder / 'labels.csv'} lists, got none"
            )
        grey = np.asarray(members.image(name).convert("L"), dtype="float32")
        if min(grey.shape) < SMALLEST:
            small += 1
            continue
        images.append(_upright(grey))
        labels.append(label)
    notes = (f"{small} of {len(images) + small} images are less than {SMALLEST} pixels high or wide and left out",)
    return Scans(np.stack(images), np.array(labels), notes if small else ())


def _labels(path: Path) -> list[tuple[str, str]]:
    """Image and label of each line. Raises DataError."""
    with opened(path) as stream:
        rows = list(csv.DictReader(stream.read().decode("utf-8-sig", "replace").splitlines()))
    prefixes = (DIGIT, *LETTERS["both"])
    for line, row in enumerate(rows, 2):
        if not str(row.get("label")).startswith(prefixes) or not row.get("image"):
            raise DataError(
                f"{path}: line {line}: expected an image and a label such as CAP_A, SMALL_a or DIGIT_0, got {row}"
            )
    present = {str(row["label"]).partition("_")[0] + "_" for row in rows}
    if missing := set(prefixes) - present:
        raise DataError(f"{path}: expected capital and small letters and digits, got no {min(missing)}")
    return [(str(row["image"]), str(row["label"])) for row in rows]


def _upright(grey: Array) -> Array:
    """Grey levels [H, W] of ink on paper as ink in 0 .. 1, [28, 28]."""
    import numpy as np

    paper = np.median(grey)
    ink = np.clip((paper - grey) / max(paper - grey.min(), 1), 0, 1)
    height, width = grey.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side), dtype="float32")
    square[top : top + height, left : left + width] = ink
    return resized(square, SIDE, SIDE)
