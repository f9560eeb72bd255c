"""Two overlaid digits, both to be recognised: MultiMNIST and a small variant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ...core.errors import DataError
from ...core.task import Data, Outline, TaskSpec
from ..assemble import assemble
from ..files import find
from ..metrics import WithMetrics
from ..small.digits import ROWS, SIDE, WHITE, scans
from ..splits import TEST, TRAIN, Fractions, apportion, assign, generator
from .idx import Pair
from .idx_files import array

if TYPE_CHECKING:
    import numpy as np

    from ...core.task import Array, Shape

CLASSES = tuple("0123456789")
TASKS = tuple(TaskSpec(name, len(CLASSES), "cross_entropy", classes=CLASSES) for name in ("left", "right"))
MNIST_SHARES = (50_000, 10_000, 0)  # train and validation come from the training files, test from the test files


class MultiDigits(WithMetrics):
    """Two overlaid handwritten digits; tasks ``left`` and ``right`` (10 classes each) name the one in each corner.

    From scikit-learn's 8x8 digits, or from MNIST if ``path`` is its folder. Source digits are divided first, for each
    seed, stratified by digit: the 8x8 digits 0.6 / 0.2 / 0.2; MNIST's training files 5 : 1 into train and validation,
    its test files stay test. So no digit is used in two splits. Within a split each source digit appears ``repeats``
    times on the left and ``repeats`` times on the right, in random pairs. For digits with a side of s pixels, that of
    the canvas is round(36 s / 28), the left digit starts at (0, 0), the right one at (o, o) with o = round(6 s / 28),
    and where they overlap the larger value is used. Inputs float32 [N, 1, H, W] in 0 .. 1: H = W = 10, or 36 for MNIST.

    Sources: Sabour, Frosst and Hinton, Dynamic Routing Between Capsules, NeurIPS 2017; Sener and Koltun, Multi-Task
    Learning as Multi-Objective Optimization, NeurIPS 2018, for corners, offset and maximum. Deviations: the canvas is
    not resized to 28 pixels; right digits are a permutation instead of draws with replacement; unlike in Sabour et al.,
    digits are not shifted at random and both may be of one class; a validation split is held out.
    """

    path: str | None = Field(None, description="folder of MNIST's four IDX files; none: scikit-learn's 8x8 digits")
    repeats: int = Field(
        1, ge=1, description="images in which each source digit is on the left, and as many with it on the right"
    )
    limit: int | None = Field(None, ge=100, description="at most so many images in each split")
    flat: bool = Field(False, description="true: vectors of pixels; false: 1xHxW images")

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Images of scikit-learn's digits, which need no files."""
        return {"limit": 200}

    def files(self, root: Path) -> tuple[Path, ...]:
        """MNIST's four files if ``path`` is set. Raises DataError."""
        if self.path is None:
            return ()
        return tuple(
            mnist_file(root / Path(self.path).expanduser(), f"{part}-{kind}")
            for part in ("train", "t10k")
            for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )

    def outline(self, root: Path) -> Outline:
        """Two classifications of ten classes. Raises DataError for MNIST files that are damaged or missing."""
        if self.path is None:
            side, sizes = SIDE, Fractions().counts(ROWS)
        else:
            train, test = self._mnist(root)
            side, sizes = train.shape[0], _mnist_sizes(train, test)
        images = [self._images(size) for size in sizes]
        labelled = {task.name: images[TRAIN] for task in TASKS}
        return self.ranked(Outline(TASKS, self._shape(side), sum(images), labelled=labelled))

    def _shape(self, side: int) -> Shape:
        canvas = _canvas(side)
        return (canvas * canvas,) if self.flat else (1, canvas, canvas)

    def _images(self, digits: int) -> int:
        return min(digits * self.repeats, self.limit or digits * self.repeats)

    def _mnist(self, root: Path) -> tuple[Pair, Pair]:
        train, train_labels, test, test_labels = map(str, self.files(root))
        pairs = Pair.open(Path(), train, train_labels), Pair.open(Path(), test, test_labels)
        for pair in pairs:
            if pair.shape != pairs[0].shape or pair.shape[0] != pair.shape[1]:
                raise DataError(f"{pair.path}: expected square images of one size, got {pair.shape} pixels")
            if set(pair.labels.tolist()) != set(range(10)):
                raise DataError(f"{pair.path}: expected labels 0 .. 9, all of them, got {sorted(set(pair.labels))}")
        return pairs

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        import numpy as np

        outline = self.outline(root)
        inputs, targets, part = [], [], []
        for number, (images, labels, white) in enumerate(self._sources(seed, root)):
            left, right = self._pairs(len(labels), generator(seed, "pairs", number))
            pixels = _overlay(images[left], images[right]) / np.float32(white)
            inputs.append(pixels.reshape(-1, *self._shape(images.shape[1])))
            targets.append(labels[[left, right]])
            part.append(np.full(len(left), number))
        lefts, rights = np.concatenate(targets, axis=1)
        return assemble(outline, np.concatenate(inputs), {"left": lefts, "right": rights}, np.concatenate(part))

    def _sources(self, seed: int, root: Path) -> list[tuple[Array, Array, int]]:
        """Images [n, s, s], labels [n] and the value of white, for the source digits of each split."""
        rng = generator(seed)
        if self.path is None:
            images, labels = scans()
            part = assign(labels, Fractions().counts(ROWS), rng)
            return [(images[part == i], labels[part == i], WHITE) for i in range(3)]
        train, test = self._mnist(root)
        part = assign(train.labels, _mnist_sizes(train, test)[:TEST], rng)
        chosen = [(train, part == 0), (train, part == 1), (test, slice(None))]
        return [(array(pair.path)[rows], pair.labels[rows], 255) for pair, rows in chosen]

    def _pairs(self, digits: int, rng: np.random.Generator) -> Array:
        """The indices of the left and of the right digits, int [2, n]."""
        import numpy as np

        rounds = [np.stack([rng.permutation(digits), rng.permutation(digits)]) for _ in range(self.repeats)]
        return np.concatenate(rounds, axis=1)[:, : self._images(digits)]


def mnist_file(folder: Path, name: str) -> Path:
    """One of MNIST's files under any of its usual names."""
    names = [variant + suffix for variant in (name, name.replace("-idx", ".idx")) for suffix in ("", ".gz")]
    file = next((candidate for candidate in names if (folder / candidate).exists()), names[1])
    if not folder.is_dir():
        raise DataError(
            f"{folder}: expected the folder of MNIST's IDX files, got {'a file' if folder.exists() else 'nothing'}"
        )
    return find(folder, file)


def _mnist_sizes(train: Pair, test: Pair) -> tuple[int, int, int]:
    first, second, _ = apportion(len(train.labels), MNIST_SHARES)
    return first, second, len(test.labels)


def _canvas(side: int) -> int:
    return round(36 * side / 28)


def _overlay(left: Array, right: Array) -> Array:
    """The pixelwise maximum of left digits [n, s, s] in the upper left corner and right ones in the lower right."""
    import numpy as np

    count, side, _ = left.shape
    offset = round(6 * side / 28)
    canvas = np.zeros((count, _canvas(side), _canvas(side)), dtype="float32")
    canvas[:, :side, :side] = left
    corner = canvas[:, offset : offset + side, offset : offset + side]
    np.maximum(corner, right, out=corner)
    return canvas
