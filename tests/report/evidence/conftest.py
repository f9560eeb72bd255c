"""Figures are painted, but not rendered: half of a report's time, for pictures that no test of evidence looks at."""

from __future__ import annotations

from typing import Any, TextIO

import pytest
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(_: Figure, file: TextIO, **options: Any) -> None:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="72pt" viewBox="0 0 72 72"/>')

    monkeypatch.setattr(Figure, "savefig", empty)
