"""Splits of data supplied in parts: a supplied validation or test part is used as is, others are drawn from train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import DataError
from .splits import PARTS, TRAIN, Fractions, apportion, assign, keep_classes

if TYPE_CHECKING:
    import numpy as np

    from ..core.task import Array

_FREE, _LEFT_OUT = -1, -2


def part_sizes(
    path: Path, rows: Sequence[int | None], shares: Fractions, limit: int | None = None
) -> tuple[int, int, int]:
    """Rows of train, validation and test.

    rows   rows of the part supplied for each split; None for a split that is drawn from train, in proportion to
           ``shares``. Raises DataError, naming ``path``, where a split would have no row.
    limit  maximal number of rows in each split
    """
    pool = rows[TRAIN] or 0
    wanted = (shares.train, shares.validation, shares.test)
    drawn = apportion(pool, [share if i == TRAIN or rows[i] is None else 0 for i, share in enumerate(wanted)])
    totals = (drawn[TRAIN], *(drawn[i] if (n := rows[i]) is None else n for i in (1, 2)))
    if min(totals) < 1:
        raise DataError(f"{path}: expected rows for each split, got {dict(zip(PARTS, totals, strict=True))}")
    first, second, third = (min(size, limit or size) for size in totals)
    return first, second, third


def draw_parts(
    strata: Sequence[Array | None],
    sizes: Sequence[int],
    rng: np.random.Generator,
    limit: int | None = None,
    fixed: Array | None = None,
) -> list[tuple[int, Array]]:
    """For train, validation and test: the number of the part that the rows come from, and their indices in it.

    strata  classes int64 [N] of the rows of each supplied part, or None. Draws are stratified, and train gets a row of
            every class that is drawn from.
    sizes   ``part_sizes`` without a limit
    fixed   int [N], the split that a row of the first part must go to, or -1 for any. A row that must go to a split
            for which a part was supplied is left out; rows with -1 fill up what ``sizes`` leaves.
    """
    import numpy as np

    pool = strata[TRAIN]
    assert pool is not None
    part = np.full(len(pool), _FREE) if fixed is None else fixed.copy()
    drawn = [i == TRAIN or codes is None for i, codes in enumerate(strata)]
    part[np.isin(part, [i for i, free in enumerate(drawn) if not free])] = _LEFT_OUT
    free = np.flatnonzero(part == _FREE)
    if len(free):
        room = [max(size - int((part == i).sum()), 0) if drawn[i] else 0 for i, size in enumerate(sizes)]
        places = assign(pool[free], apportion(len(free), room if any(room) else (1, 0, 0)), rng)
        keep_classes(places, pool[free])
        part[free] = places
    chosen = []
    for i, codes in enumerate(strata):
        rows = np.flatnonzero(part == i) if drawn[i] else np.arange(len(codes if codes is not None else ()))
        source = TRAIN if drawn[i] else i
        chosen.append((source, _limited(rows, strata[source], limit, rng)))
    return chosen


def _limited(rows: Array, codes: Array | None, limit: int | None, rng: np.random.Generator) -> Array:
    """At most ``limit`` of the rows, stratified, and one of every class."""
    if limit is None or len(rows) <= limit or codes is None:
        return rows
    sides = assign(codes[rows], (limit, len(rows) - limit), rng)
    keep_classes(sides, codes[rows])
    chosen: Array = rows[sides == TRAIN]
    return chosen
