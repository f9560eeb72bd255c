"""CSV, Parquet, ARFF and MATLAB files as data frames. Every fault is a DataError that names the file."""

from __future__ import annotations

import csv
import io
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...core.errors import DataError
from ...core.regular import opened_regular
from ..files import opened
from .arff import read_arff
from .columns import UNNAMED, is_number, unique_names
from .matlab import read_matlab

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["csv", "parquet", "arff", "mat"]
SUFFIXES: dict[str, Format] = {".parquet": "parquet", ".pq": "parquet", ".arff": "arff", ".mat": "mat"}
DELIMITERS = ",;\t|"
SAMPLE_LINES = 20
HEAD = 1024  # a zero byte among this many first ones marks a binary file
INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name


@dataclass(frozen=True)
class Reading:
    """How a file is to be read; ``None`` means that it is detected."""

    format: Format | None
    delimiter: str | None
    decimal: str
    encoding: str
    columns: tuple[str, ...] | None
    missing: tuple[str, ...]


def read_table(path: Path, how: Reading) -> pd.DataFrame:
    """The file's rows, with unique, stripped column names and NaN where a cell is missing. Raises DataError."""
    import pandas as pd

    kind = how.format or SUFFIXES.get(Path(path.name.removesuffix(".gz")).suffix.lower(), "csv")
    if kind == "parquet":
        frame = _parquet(path)
    elif kind == "mat":
        frame = _matlab(path, how.columns)
    else:
        text = _text(path, how.encoding)
        if not text or text.isspace():
            raise DataError(f"{path}: expected a table, got an empty file")
        frame = read_arff(path, text) if kind == "arff" else _csv(path, text, how)
    if frame.empty:
        raise DataError(f"{path}: expected rows of data, got a header and no rows")
    for name, column in frame.items():
        if pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column):
            stripped = column.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
            frame[name] = stripped.mask(stripped.isin(how.missing))
    return frame


def _text(path: Path, encoding: str) -> str:
    try:
        with opened(path) as stream:
            text = stream.read().decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected text in {encoding}, got byte 0x{error.object[error.start]:02x} at position "
            f"{error.start}; state the file's encoding, e.g. encoding: latin-1, if it is a CSV or ARFF file, "
            "or format: parquet; other formats are not read"
        ) from error
    except LookupError as error:
        raise DataError(f"{path}: unknown encoding '{encoding}', expected one such as utf-8 or latin-1") from error
    if "\0" in text[:HEAD]:
        raise DataError(
            f"{path}: expected a CSV, Parquet or ARFF file, got a binary one (a zero byte at position "
            f"{text.index(chr(0))}); export the table as CSV, or state encoding: utf-16 if it is such text"
        )
    return text


def _csv(path: Path, text: str, how: Reading) -> pd.DataFrame:
    import pandas as pd

    delimiter = how.delimiter or ","
    try:
        delimiter = how.delimiter or _sniff(text)
        records = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
        first = next(record for record in records if record)
        names = _header(path, first, how.columns)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text),
                sep=delimiter,
                decimal=how.decimal,
                header=None if how.columns else 0,
                names=names,
                index_col=False,
                skipinitialspace=True,
                na_values=list(how.missing),
                keep_default_na=False,
                low_memory=False,
            )
    except (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: expected a CSV table separated by {delimiter!r}: {error}") from error
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"{path}: expected {len(names)} fields in each row, as many as column names, got more; "
            "is there a delimiter at the end of the lines?"
        ) from error
    if frame[names[-1]].isna().any():  # as a short row's last cell is
        _refuse_short_rows(path, text, delimiter, names)
    return frame


def _refuse_short_rows(path: Path, text: str, delimiter: str, names: list[str]) -> None:
    """Raise DataError for the first row that ends before its last named column; pandas would fill it up."""
    fewest = max((place for place, name in enumerate(names, 1) if not name.startswith(UNNAMED)), default=0)
    records = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    with suppress(csv.Error):  # pandas has read the file; what csv refuses, such as a very long cell, is no fault
        for record in records:
            if any(cell.strip() for cell in record) and len(record) < fewest:
                raise DataError(
                    f"{path}: expected {len(names)} fields in each row, as many as column names, got {len(record)} "
                    f"in line {records.line_num}; a missing value needs its delimiter, too"
                )


def _header(path: Path, first: list[str], columns: tuple[str, ...] | None) -> list[str]:
    """Column names from the first record, or those supplied for a file without a header line."""
    if columns is not None:
        if len(columns) != len(first):
            raise DataError(f"{path}: expected {len(columns)} fields, one for each of columns, got {len(first)}")
        return unique_names(path, columns)
    if all(is_number(name) for name in first):
        raise DataError(
            f"{path}: expected column names in the first line, got numbers only ({', '.join(first[:3])}, …); "
            "name them with columns: […]"
        )
    return unique_names(path, first)


def _sniff(text: str) -> str:
    """The delimiter that divides the first lines into the same number of fields, and into the most."""
    lines = list(islice(io.StringIO(text), SAMPLE_LINES))

    def fields(delimiter: str) -> tuple[bool, int]:
        counts: set[int] = set()
        with suppress(csv.Error):  # a very long cell, which pandas reads: the lines before it decide
            counts.update(len(record) for record in csv.reader(lines, delimiter=delimiter) if record)
        return len(counts) == 1, max(counts, default=0)

    return max(DELIMITERS, key=lambda delimiter: fields(delimiter) if fields(delimiter)[1] > 1 else (False, 0))


def _matlab(path: Path, columns: tuple[str, ...] | None) -> pd.DataFrame:
    """The file's one matrix; its columns are c1, c2 … unless they are named."""
    import pandas as pd

    matrices = {
        name: value for name, value in read_matlab(path).items() if value.ndim == 2 and value.dtype.kind in "iuf"
    }
    if len(matrices) != 1:
        raise DataError(
            f"{path}: expected one matrix of numbers, rows x columns, got {', '.join(matrices) or 'none'}; "
            "save the matrix that is the table in a file of its own"
        )
    [matrix] = matrices.values()
    names = columns or tuple(f"c{place + 1}" for place in range(matrix.shape[1]))
    if len(names) != matrix.shape[1]:
        raise DataError(f"{path}: expected {len(names)} columns, one for each of columns, got {matrix.shape[1]}")
    return pd.DataFrame(matrix, columns=unique_names(path, names))


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow
    import pyarrow.parquet

    try:
        with opened_regular(path) as stream, pyarrow.parquet.ParquetFile(stream) as file:
            table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: expected a Parquet file ({error})") from error
    names = unique_names(path, [INDEX.sub("", name) for name in table.column_names])
    nested = [field.name for field in table.schema if pyarrow.types.is_nested(field.type)]
    if nested:
        raise DataError(f"{path}: column '{nested[0]}' holds lists or structures; expected numbers, text or dates")
    frame: pd.DataFrame = table.rename_columns(names).to_pandas(ignore_metadata=True, date_as_object=False)
    return frame
