"""Cross-validation within a problem: one part of the training split is held out. What the problem has fitted to the
whole training split (standardisation, imputation, vocabulary) is not refitted; the problem's validation and test splits
are never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..core.errors import UnavailableError
from ..core.task import Data, Split

if TYPE_CHECKING:
    from ..core.task import Array


def fold(data: Data, held: int, parts: int, seed: int) -> Data:
    """``data`` with part ``held`` (0, 1, …) of its training split as validation and test split and the rest as training
    split, in place of the problem's splits. Rows are divided at random, regardless of any groups.

    Raises UnavailableError for streams, and for fewer rows than parts.
    """
    train = data.train
    if not isinstance(train, Split):
        raise UnavailableError("cross-validation expects a training split in memory, got a stream: give fixed weights")
    by_task = isinstance(train.inputs, Mapping)
    sizes = {name: len(rows) for name, rows in train.targets.items()} if by_task else {"": train.size}
    few = min(sizes.values())
    if few < parts:
        raise UnavailableError(f"cross-validation expects at least {parts} training rows, got {few}: lower folds")
    out = {name: _held_out(size, held, parts, seed, name) for name, size in sizes.items()}
    rest = {name: ~chosen for name, chosen in out.items()}
    validation = _rows(train, out)
    return Data(data.outline, _rows(train, rest), validation, validation)


def _held_out(size: int, held: int, parts: int, seed: int, name: str) -> Array:
    """Which rows are held out [size]."""
    import numpy as np

    from .splits import generator

    chosen = np.zeros(size, dtype=bool)
    chosen[generator(seed, "fold", name).permutation(size)[held::parts]] = True
    return chosen


def _rows(split: Split, chosen: Mapping[str, Array]) -> Split:
    """The chosen rows of a split, by task or (under the name "") of all tasks."""

    def of(part: Mapping[str, Array]) -> dict[str, Array]:
        return {name: rows[chosen[name if name in chosen else ""]] for name, rows in part.items()}

    inputs = of(split.inputs) if isinstance(split.inputs, Mapping) else split.inputs[chosen[""]]
    return Split(inputs, of(split.targets), of(split.masks))
