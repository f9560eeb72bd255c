"""Tables as CSV."""

from __future__ import annotations

import json

from ...core.wording import clean
from .parts import Table

_FORMULA = "=+-@＝＋－＠"  # what formulas begin with, in full width too (OWASP, CSV Injection)


def csv_table(table: Table) -> str:
    """The raw numbers, one line per row. A list in a cell is written as a JSON array, so that it can be read back;
    words are written without control characters, and none as a formula: ``'`` stands before those that a spreadsheet
    would compute or run.
    """
    raw = table.raw.copy()
    for name, column in table.raw.items():
        if any(isinstance(cell, tuple | str) for cell in column):
            raw[name] = column.map(_cell)
    return raw.rename(columns=_words).to_csv(index=False)


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return clean(json.dumps(value, ensure_ascii=False))
    return _words(value) if isinstance(value, str) else value


def _words(text: object) -> str:
    """Text that no spreadsheet takes for a formula; numbers stay what they are."""
    written = clean(text)
    begins = written.lstrip()
    if len(begins) < 2 or begins[0] not in _FORMULA:
        return written
    try:
        float(begins)
    except ValueError:
        return f"'{written}"
    return written
