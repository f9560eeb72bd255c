"""Splits of data that come in parts: a part that is given stays what it is, the others are drawn from the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import DataError
from .splits import PARTS, TRAIN, Fractions, apportion, assign, keep_classes

if TYPE_CHECKING:
    import numpy as np

    from ..core.task import Array


def part_sizes(
    path: Path, rows: Sequence[int | None], shares: Fractions, limit: int | None = None
) -> tuple[int, int, int]:
    """Rows of train, validation and test.

    rows   rows of the part that is given for each; None where that split is drawn from train, in proportion to
           ``shares``. Raises DataError, in the name of ``path``, where a split would have no row.
    limit  at most so many in each split
    """
    pool = rows[TRAIN] or 0
    wanted = (shares.train, shares.validation, shares.test)
    drawn = apportion(pool, [share if i == TRAIN or rows[i] is None else 0 for i, share in enumerate(wanted)])
    given = (drawn[TRAIN], *(drawn[i] if (n := rows[i]) is None else n for i in (1, 2)))
    if min(given) < 1:
        raise DataError(f"{path}: expected rows for each split, got {dict(zip(PARTS, given, strict=True))}")
    first, second, third = (min(size, limit or size) for size in given)
    return first, second, third


def draw_parts(
    path: Path,
    strata: Sequence[Array | None],
    shares: Fractions,
    rng: np.random.Generator,
    limit: int | None = None,
) -> list[tuple[int, Array]]:
    """Of train, validation and test, the number of the part that the rows are from, and their places in it.

    strata  classes int64 [N] of the rows of each given part, or None. Draws are stratified, and train gets a row of
            every class of its part. Raises DataError as ``part_sizes``.
    """
    import numpy as np

    rows = [None if codes is None else len(codes) for codes in strata]
    sizes = part_sizes(path, rows, shares, limit)
    pool = strata[TRAIN]
    assert pool is not None
    drawn = [size if i == TRAIN or strata[i] is None else 0 for i, size in enumerate(sizes)]
    part = assign(pool, (*drawn, len(pool) - sum(drawn)), rng)
    keep_classes(part, pool)
    chosen = []
    for i, codes in enumerate(strata):
        if i == TRAIN or codes is None:
            chosen.append((TRAIN, np.flatnonzero(part == i)))
        else:
            kept = assign(codes, (sizes[i], len(codes) - sizes[i]), rng) == 0
            chosen.append((i, np.flatnonzero(kept)))
    return chosen
