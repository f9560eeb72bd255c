"""Tables as CSV."""

from __future__ import annotations

import json

from .parts import Table


def csv_table(table: Table) -> str:
    """The raw numbers, one line per row. A list in a cell is written as a JSON array, so that it can be read back."""
    raw = table.raw.copy()
    for name, column in table.raw.items():
        if any(isinstance(cell, tuple) for cell in column):
            raw[name] = column.map(_cell)
    return raw.to_csv(index=False)


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else value
