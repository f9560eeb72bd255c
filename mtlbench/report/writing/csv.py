"""Tables as CSV."""

from __future__ import annotations

import json
from typing import Any

from .parts import Table


def csv_table(table: Table) -> str:
    """The raw numbers, one line per row. A list in a cell is written as a JSON array, so that it can be read back."""
    raw = table.raw
    for name in raw.columns[[any(isinstance(cell, tuple) for cell in raw[name]) for name in raw.columns]]:
        cells: dict[str, Any] = {name: [_cell(cell) for cell in raw[name]]}
        raw = raw.assign(**cells)
    return raw.to_csv(index=False)


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else value
