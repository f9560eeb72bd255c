"""Conversion of a table's columns to numbers or categories, with errors that name the first unusable cell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import DataError, did_you_mean
from ..names import composed

if TYPE_CHECKING:
    import pandas as pd

    from ...core.task import Array

    Column = pd.Series[Any]

LARGEST = 3e38  # about the largest float32
MANY = 30  # messages list at most this many names
DECIMAL_COMMA = r"[+-]?\d+,\d+"
CATEGORICAL = "or list the column as categorical"
UNNAMED = "unnamed_"  # followed by its position: the name of a column with an empty header


def unique_names(path: Path, names: Sequence[str]) -> list[str]:
    """The names, stripped and in Unicode's composed form; an empty one is replaced by its position. Raises DataError if
    two are equal then.
    """
    stripped = [composed(name.strip()) or f"{UNNAMED}{place}" for place, name in enumerate(names, start=1)]
    double = [name for name, count in Counter(stripped).items() if count > 1]
    if double:
        raise DataError(
            f"{path}: expected different column names, got '{double[0]}' {stripped.count(double[0])} times; rename "
            "one, or, if the file has no header line, name its columns with columns: […]"
        )
    return stripped


def require(path: Path, columns: Collection[str], names: Collection[str], role: str) -> None:
    """Raise DataError for the first name that is not a column, suggesting the most similar one."""
    for name in names:
        if name not in columns:
            hint = did_you_mean(name, columns)
            if "did you mean" not in hint and len(columns) > MANY:
                hint = f"the file has {len(columns)} columns"
            if any(is_number(column) for column in columns):  # data, more likely than a header
                hint += "; a CSV file without a header line needs columns: […]"
            raise DataError(f"{path}: no column '{name}' for {role}; {hint}")


def is_number(text: str) -> bool:
    """Whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def has_decimal_commas(column: Column) -> bool:
    """Whether more than half of the cells are texts such as '12,5'."""
    # By distinct text, of which long columns have few.
    texts = Counter(cell for cell in column.dropna().tolist() if isinstance(cell, str))
    return 2 * sum(count for text, count in texts.items() if re.fullmatch(DECIMAL_COMMA, text)) > column.count()


def is_numeric(column: Column) -> bool:
    """Whether a column holds numbers, dates or truth values, or text of which more than half reads as numbers.

    Columns that their file declares nominal are not.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return True
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    present = column.dropna()
    return len(present) > 0 and bool(pd.to_numeric(present, errors="coerce").notna().mean() > 0.5)


def numbers(path: Path, column: Column, otherwise: str = CATEGORICAL) -> Array:
    """float64 [N], NaN where missing; dates become days since 1970. Raises DataError for the first cell that is not a
    number or exceeds the range of float32; ``otherwise`` ends the message's advice.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        naive = column.dt.tz_convert(None) if column.dt.tz is not None else column
        return ((naive - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy(dtype="float64")
    cells = column.astype("object") if isinstance(column.dtype, pd.CategoricalDtype) else column
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype="float64", na_value=float("nan"))
    wrong = (column.notna().to_numpy() & ~(abs(values) < LARGEST)).nonzero()[0]
    if len(wrong):
        raise DataError(
            f"{path}: column '{column.name}' holds numbers, but row {row_number(column, wrong[0])} holds "
            f"'{column.iloc[wrong[0]]}' ({len(wrong)} such rows); expected finite numbers. "
            f"Correct them, name that text in missing_values, {otherwise}"
        )
    return values


def row_number(column: Column, place: int) -> int:
    """The row's number in the file; the first row of data is 1, and rows that were dropped count."""
    return int(column.index[place]) + 1


def categories(column: Column) -> tuple[Array, tuple[str, ...]]:
    """Codes int64 [N], -1 where missing, and the categories' names in ascending order (as numbers, if all are)."""
    import numpy as np
    import pandas as pd

    codes, levels = pd.factorize(column, use_na_sentinel=True)
    names = [_text(value) for value in levels]
    values = pd.to_numeric(pd.Series(names, dtype="str"), errors="coerce").to_numpy()
    order = sorted(range(len(names)), key=names.__getitem__)
    if not np.isnan(values).any():
        order.sort(key=lambda i: values[i])
    rank = np.empty(len(names) + 1, dtype="int64")
    rank[order], rank[-1] = np.arange(len(names)), -1
    return rank[codes], tuple(names[i] for i in order)


def _text(value: object) -> str:
    """A category's name: 1.0 becomes '1', as a file of whole numbers writes it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def times(path: Path, column: Column) -> Array:
    """Times as float64 [N]: numbers as they are, ISO dates in days. Raises DataError."""
    import numpy as np
    import pandas as pd

    if is_numeric(column):
        values = numbers(path, column)
    else:
        stamps = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=True)
        values = numbers(path, stamps)
    wrong = np.flatnonzero(np.isnan(values))
    if len(wrong):
        raise DataError(
            f"{path}: column '{column.name}': expected a number or an ISO date such as 2024-01-31 in each row, "
            f"got '{column.iloc[wrong[0]]}' in row {row_number(column, wrong[0])} ({len(wrong)} such rows)"
        )
    return values
