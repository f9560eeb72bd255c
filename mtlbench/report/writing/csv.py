"""Tables as CSV."""

from __future__ import annotations

import json

from ...core.wording import clean
from .parts import Table


def csv_table(table: Table) -> str:
    """The raw numbers, one line per row. A list in a cell is written as a JSON array, so that it can be read back;
    words are written without control characters.
    """
    raw = table.raw.copy()
    for name, column in table.raw.items():
        if any(isinstance(cell, tuple | str) for cell in column):
            raw[name] = column.map(_cell)
    return raw.rename(columns=clean).to_csv(index=False)


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return clean(json.dumps(value, ensure_ascii=False))
    return clean(value) if isinstance(value, str) else value
