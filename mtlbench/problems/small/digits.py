"""scikit-learn's handwritten digits as three questions about one image."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from ...core.task import Data, Outline, TaskSpec
from ..assemble import assemble
from ..metrics import WithMetrics
from ..splits import TRAIN, Fractions, assign, generator

if TYPE_CHECKING:
    from ...core.task import Array

ROWS, SIDE, WHITE = 1797, 8, 16
TASKS = {
    "digit": TaskSpec("digit", 10, "cross_entropy", classes=tuple("0123456789")),
    "parity": TaskSpec("parity", 1, "bce_with_logits", classes=("even", "odd")),
    "loops": TaskSpec("loops", 3, "cross_entropy", classes=("none", "one", "two")),
}
LOOPS = (1, 0, 0, 0, 0, 0, 1, 0, 2, 1)  # closed loops of the digits 0 to 9 as they are written; the 4 is open


def unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, or ValueError where one stands twice."""
    if len(set(names)) < len(names):
        raise ValueError(f"expected different names, got {', '.join(names)}")
    return names


@lru_cache(maxsize=1)
def scans() -> tuple[Array, Array]:
    """Images [1797, 8, 8] with values 0 .. 16, and labels int64 [1797]; read-only, shared by all who ask."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images, labels = images.reshape(-1, SIDE, SIDE), labels.astype("int64")
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


class Digits(WithMetrics):
    """1,797 real handwritten digits (8x8): digit (10 classes), parity (binary), loops (3 classes).

    Inputs are pixel / 16, float32 [N, 64], or [N, 1, 8, 8] with ``flat: false``. ``loops`` is how many closed loops the
    digit has: none for 1, 2, 3, 4, 5 and 7, one for 0, 6 and 9, two for 8. No task is a linear function of the pixels.
    Rows are split anew for each seed, stratified by digit, 1,078 / 360 / 359 (0.6 / 0.2 / 0.2).

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI), 1998: its test part, as packaged by
    scikit-learn.
    """

    tasks: Annotated[tuple[Literal["digit", "parity", "loops"], ...], AfterValidator(unique)] = Field(
        ("digit", "parity", "loops"), min_length=1, strict=False, description="which of digit, parity, loops to train"
    )
    flat: bool = Field(True, description="true: vectors of 64 pixels; false: 1x8x8 images")

    def outline(self, root: Path) -> Outline:
        """The chosen tasks; no data are read."""
        shape = (SIDE * SIDE,) if self.flat else (1, SIDE, SIDE)
        labelled: dict[str, int] = dict.fromkeys(self.tasks, Fractions().counts(ROWS)[TRAIN])
        return self.ranked(Outline(tuple(TASKS[name] for name in self.tasks), shape, ROWS, labelled=labelled))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed."""
        import numpy as np

        outline = self.outline(root)
        images, labels = scans()
        targets = {"digit": labels, "parity": labels % 2, "loops": np.array(LOOPS)[labels]}
        inputs = (images / WHITE).astype("float32").reshape(ROWS, *outline.input_shape)
        part = assign(labels, Fractions().counts(ROWS), generator(seed))
        return assemble(outline, inputs, targets, part)
