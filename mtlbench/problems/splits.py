"""Which rows train, validate and test: fractions, and stratified draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from ..core.config import Config
from ..core.seeding import derive

if TYPE_CHECKING:
    import numpy as np

    from ..core.task import Array

TRAIN, VALIDATION, TEST = range(3)
PARTS = ("train", "validation", "test")


class Fractions(Config):
    """Shares of the rows in each split; they sum to 1."""

    train: float = Field(default=0.6, gt=0, lt=1, description="share of rows to train on")
    validation: float = Field(default=0.2, gt=0, lt=1, description="share of rows to choose epochs on")
    test: float = Field(default=0.2, gt=0, lt=1, description="share of rows to report on")

    @model_validator(mode="after")
    def _sum(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"expected train + validation + test = 1, got {total:g}")
        return self

    def counts(self, rows: int) -> tuple[int, int, int]:
        """Rows of each split: the shares rounded by largest remainder, so that they add up."""
        return apportion(rows, (self.train, self.validation, self.test))

    @property
    def fewest_rows(self) -> int:
        """The size from which on a stratum has a row in each split of ``assign``, whatever the seed.

        A split's places are 1 / share apart, or more where shares do not divide the number of rows.
        """
        return math.ceil(1.5 / min(self.train, self.validation, self.test) - 1e-9)


def apportion(rows: int, shares: Sequence[float]) -> tuple[int, int, int]:
    """``rows`` divided in proportion to three shares, by largest remainder (the earlier split wins a tie)."""
    exact = [round(rows * share / sum(shares), 6) for share in shares]
    whole = [int(value) for value in exact]
    order = sorted(range(3), key=lambda i: whole[i] - exact[i])
    for i in order[: rows - sum(whole)]:
        whole[i] += 1
    return whole[0], whole[1], whole[2]


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """The random generator that decides which rows go to which split."""
    import numpy as np

    return np.random.default_rng(derive(seed, "split", *names))


def assign(strata: Array, sizes: Sequence[int], rng: np.random.Generator) -> Array:
    """Part of each row, int8 [N] in 0 .. len(sizes) - 1, for strata int [N] and sizes that sum to N.

    Systematic stratified sampling: rows are lined up stratum by stratum (strata, and the rows within them, in random
    order), and each part takes evenly spaced places along the line, from a random start. Sizes are exact, every stratum
    is divided in proportion up to about one row, and strata of a single row are allowed.
    """
    import numpy as np

    places = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    parts = np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)[np.argsort(places, kind="stable")]
    parts = np.roll(parts, rng.integers(max(len(parts), 1)))
    ids = np.unique(strata, return_inverse=True)[1].reshape(-1)
    ids = rng.permutation(ids.max() + 1)[ids]
    line = rng.permutation(len(ids))
    line = line[np.argsort(ids[line], kind="stable")]
    result = np.empty(len(ids), dtype=np.int8)
    result[line] = parts
    return result


def keep_classes(part: Array, codes: Array) -> None:
    """Give train a row of each class (codes int64 [N], -1 where unknown) that it lacks by chance, in exchange for one
    of its most frequent class, so that no seed fails for lack of a rare class. Does nothing if train has no label.
    """
    import numpy as np

    if not ((part == TRAIN) & (codes >= 0)).any():
        return

    for missing in np.setdiff1d(codes[codes >= 0], codes[part == TRAIN]):
        trained = codes[(part == TRAIN) & (codes >= 0)]
        surplus = np.flatnonzero((part == TRAIN) & (codes == np.bincount(trained).argmax()))[0]
        rare = np.flatnonzero(codes == missing)[0]
        part[[surplus, rare]] = part[[rare, surplus]]
