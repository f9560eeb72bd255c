from __future__ import annotations

import io

from rich.console import Console

from mtlbench.screen.catalogue import Listed
from mtlbench.screen.tables import show_catalogue


def test_what_an_entry_lacks_is_a_dash() -> None:
    console = Console(file=io.StringIO(), width=100)
    rows = [
        Listed("weightings", "a", "First.", "lr=1", "Someone, Title, 2001"),
        Listed("weightings", "b", "Second.", ""),
    ]
    show_catalogue(rows, console)
    lines = [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    start = lines.index(["a", "First.", "lr=1"])
    assert lines[start + 1 : start + 4] == [["[Someone,", "Title,", "2001]"], ["b", "Second.", "–"], ["–"]]
