"""ARFF, Weka's format: declared attributes, then rows, dense or sparse; '?' is a missing value.

Written here because scipy.io.arff refuses text attributes and sparse rows.
Source: the ARFF description in Weka's manual. Relational attributes and instance weights are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import DataError
from .columns import unique_names

if TYPE_CHECKING:
    import pandas as pd

QUOTED = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
ATTRIBUTE = re.compile(rf"@attribute\s+({QUOTED}|[^\s{{]+)\s*(\{{.*\}}|\S+)(.*)", re.IGNORECASE)
VALUE = re.compile(rf"\s*((?:{QUOTED}|[^,'\"])*?)\s*(?:,|$)")
NUMBERS = {"numeric", "real", "integer"}
TEXTS = {"string", "date"}


@dataclass(frozen=True)
class Attribute:
    """One declared column; ``levels`` is None unless it is nominal."""

    name: str
    numeric: bool
    levels: tuple[str, ...] | None = None

    @property
    def dtype(self) -> str:
        """The pandas type of the column."""
        return "float64" if self.numeric else "object" if self.levels is None else "category"


def read_arff(path: Path, text: str) -> pd.DataFrame:
    """The rows of an ARFF file, columns typed as declared. Raises DataError with the line at fault."""
    import pandas as pd

    lines = enumerate(text.splitlines(), start=1)
    attributes = _attributes(path, lines)
    names = unique_names(path, [attribute.name for attribute in attributes])
    rows = [_row(path, number, line, attributes) for number, line in lines if line.strip() and line.strip()[0] != "%"]
    frame = pd.DataFrame(rows, columns=names, dtype="object")
    types = {name: a.dtype for name, a in zip(names, attributes, strict=True)}
    return frame.astype(types)


def _attributes(path: Path, lines: Iterator[tuple[int, str]]) -> list[Attribute]:
    """Read up to and including ``@data``."""
    attributes = []
    for number, line in lines:
        word = line.split(None, 1)[0].lower() if line.strip() else ""
        if word == "@attribute":
            attributes.append(_attribute(path, number, line.strip()))
        elif word == "@data":
            if not attributes:
                raise DataError(f"{path}:{number}: expected @attribute lines before @data")
            return attributes
        elif word and word[0] != "%" and word != "@relation":
            raise DataError(f"{path}:{number}: expected @relation, @attribute or @data, got '{line.strip()[:40]}'")
    raise DataError(f"{path}: expected an ARFF file with a line @data")


def _attribute(path: Path, number: int, line: str) -> Attribute:
    declaration = ATTRIBUTE.match(line)
    kind = declaration[2].lower() if declaration else ""
    if declaration and kind in NUMBERS:
        return Attribute(_plain(declaration[1]), True)
    if declaration and kind in TEXTS:
        return Attribute(_plain(declaration[1]), False)
    if declaration and kind.startswith("{"):
        return Attribute(_plain(declaration[1]), False, tuple(_fields(path, number, declaration[2][1:-1])))
    raise DataError(
        f"{path}:{number}: expected @attribute NAME with numeric, real, integer, string, date or {{a, b, …}}, "
        f"got '{line[:60]}'"
    )


def _row(path: Path, number: int, line: str, attributes: list[Attribute]) -> list[object]:
    """One row's values, None where missing."""
    line = line.strip()
    if line.startswith("{"):
        return _sparse(path, number, line, attributes)
    fields = _fields(path, number, line)
    if len(fields) != len(attributes):
        raise DataError(f"{path}:{number}: expected {len(attributes)} values, got {len(fields)}")
    return [_cell(path, number, *pair) for pair in zip(attributes, fields, strict=True)]


def _sparse(path: Path, number: int, line: str, attributes: list[Attribute]) -> list[object]:
    """``{index value, …}``: attributes not listed are 0, or the first level of a nominal attribute."""
    row: list[object] = [0.0 if a.numeric else (a.levels or ("",))[0] for a in attributes]
    for entry in filter(None, _fields(path, number, line.strip("{} \t"), plain=False)):
        place, value = [*entry.split(None, 1), ""][:2]
        if not place.isdigit() or int(place) >= len(attributes):
            raise DataError(f"{path}:{number}: expected a place from 0 to {len(attributes) - 1}, got '{place}'")
        row[int(place)] = _cell(path, number, attributes[int(place)], _plain(value.strip()))
    return row


def _cell(path: Path, number: int, attribute: Attribute, field: str) -> object:
    if field == "?":
        return None
    if attribute.numeric:
        try:
            return float(field)
        except ValueError:
            raise DataError(
                f"{path}:{number}: attribute '{attribute.name}' is declared numeric, got '{field}'"
            ) from None
    if attribute.levels is not None and field not in attribute.levels:
        raise DataError(
            f"{path}:{number}: attribute '{attribute.name}': expected one of {', '.join(attribute.levels)}, "
            f"got '{field}'"
        )
    return field


def _fields(path: Path, number: int, line: str, plain: bool = True) -> list[str]:
    """The values of a comma-separated line, with quotes removed if ``plain``."""
    if "'" not in line and '"' not in line:
        return [field.strip() for field in line.split(",")]
    fields, place = [], 0
    while place <= len(line):
        match = VALUE.match(line, place)
        if not match:
            raise DataError(f"{path}:{number}: expected closed quotes, got '{line[place : place + 40]}'")
        fields.append(_plain(match[1]) if plain else match[1])
        place = match.end()
        if match[0][-1:] != ",":
            break
    return fields


def _plain(field: str) -> str:
    """A value without its quotes and escapes."""
    return re.sub(r"\\(.)", r"\1", field[1:-1]) if field[:1] in ("'", '"') else field
