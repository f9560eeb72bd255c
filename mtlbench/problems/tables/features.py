"""Features of a table: standardised numbers, one-hot categories, imputed gaps; all fitted on the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import DataError
from ..assemble import standardise
from .columns import categories, has_decimal_commas, is_numeric, numbers

if TYPE_CHECKING:
    import pandas as pd

    from ...core.task import Array


NAMED = 8  # a message names at most this many columns with missing values


@dataclass(frozen=True)
class Numeric:
    """A numeric column: standardised, gaps imputed by the training median, with an indicator column if it has gaps."""

    name: str
    values: Array  # float64 [N], NaN where missing

    @property
    def missing(self) -> Array:
        """bool [N]."""
        import numpy as np

        return np.isnan(self.values)

    @property
    def width(self) -> int:
        """Columns after encoding."""
        return 1 + bool(self.missing.any())

    def encode(self, train: Array) -> Array:
        """float32 [N, width]."""
        import numpy as np

        gaps = self.missing
        seen = self.values[train & ~gaps]
        filled = np.where(gaps, np.median(seen) if len(seen) else 0.0, self.values)
        return np.column_stack([standardise(filled, train), *_indicator(gaps, train)])


@dataclass(frozen=True)
class Categorical:
    """A column of categories, one-hot: levels unseen in training are all zeros; gaps as in Numeric, but imputed by the
    most frequent level.
    """

    name: str
    codes: Array  # int64 [N], -1 where missing
    levels: int  # in the whole file
    most: int  # levels that get a column, at most

    @property
    def missing(self) -> Array:
        """bool [N]."""
        return self.codes < 0

    @property
    def width(self) -> int:
        """Columns after encoding; the same for every seed, since it depends on the file, not on the training rows."""
        return min(self.levels, self.most) + bool(self.missing.any())

    def encode(self, train: Array) -> Array:
        """float32 [N, width]; one column for each of the most frequent training levels, surplus columns are zero."""
        import numpy as np

        gaps = self.missing
        counts = np.bincount(self.codes[train & ~gaps], minlength=self.levels)
        ranked = np.argsort(-counts, kind="stable")[: self.most]
        filled = np.where(gaps, ranked[0], self.codes)
        column = np.full(self.levels, -1)
        column[ranked] = np.where(counts[ranked] > 0, np.arange(len(ranked)), -1)
        hot = column[filled][:, None] == np.arange(len(ranked))
        return np.column_stack([hot.astype("float32"), *_indicator(gaps, train)])


def _indicator(gaps: Array, train: Array) -> list[Array]:
    """The column that indicates missing values; all zeros if the training rows have no gap to learn from."""
    return [(gaps & gaps[train].any()).astype("float32")] if gaps.any() else []


Feature = Numeric | Categorical


def read_features(
    path: Path, frame: pd.DataFrame, names: Sequence[str], categorical: Sequence[str], most: int
) -> tuple[list[Feature], list[str]]:
    """The features of these columns, and notes on decimal commas, on levels without a column and on uninformative
    features: those without any value, and categories that differ in every row, such as names. Raises DataError.
    """
    empty = [name for name in names if frame[name].isna().all()]
    features = [_read(path, frame[name], name in categorical, most) for name in names if name not in empty]
    texts = [f.name for f in features if isinstance(f, Categorical) and f.name not in categorical]
    commas = [name for name in texts if has_decimal_commas(frame[name])]
    keys = [f.name for f in features if isinstance(f, Categorical) and f.levels == len(frame)]
    useful = [feature for feature in features if feature.name not in keys]
    notes = [f"features without any value are left out: {', '.join(empty)}"] if empty else []
    notes += [f"text features that differ in each row are left out: {', '.join(keys)}"] if keys else []
    if commas:
        notes.append(
            'features with decimal commas are text, state decimal: "," if they are numbers: ' + ", ".join(commas)
        )
    for feature in useful:
        if isinstance(feature, Categorical) and feature.levels > most:
            notes.append(f"feature '{feature.name}': {feature.levels} levels, the {most} most frequent in train count")
    return useful, notes


def _read(path: Path, column: pd.Series[Any], categorical: bool, most: int) -> Feature:
    if not categorical and is_numeric(column):
        return Numeric(str(column.name), numbers(path, column))
    codes, levels = categories(column)
    return Categorical(str(column.name), codes, len(levels), most)


def missing_values(path: Path, features: Sequence[Feature], refuse: bool) -> list[str]:
    """A note on the values that will be imputed. Raises DataError instead if ``refuse``."""
    counts = {feature.name: int(feature.missing.sum()) for feature in features if feature.missing.any()}
    if not counts:
        return []
    where = ", ".join(f"{name} ({count})" for name, count in list(counts.items())[:NAMED])
    if len(counts) > NAMED:
        where += f" and {len(counts) - NAMED} more"
    if refuse:
        raise DataError(
            f"{path}: {sum(counts.values())} values are missing, in columns {where}; expected none (missing: error). "
            "Fill or drop them, or use missing: impute"
        )
    return [f"{sum(counts.values())} missing values imputed (median or most frequent level of train) in {where}"]


def encode(path: Path, features: Sequence[Feature], train: Array) -> Array:
    """All features, concatenated to float32 [N, sum of widths]. Raises DataError if a number exceeds float32."""
    import numpy as np

    with np.errstate(over="ignore"):
        blocks = [feature.encode(train) for feature in features]
    for feature, block in zip(features, blocks, strict=True):
        if not np.isfinite(block).all():
            raise DataError(
                f"{path}: column '{feature.name}' has values too far from its training rows to be standardised; "
                "correct or drop it"
            )
    return np.concatenate(blocks, axis=1)
