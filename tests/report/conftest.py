"""A fixture for tests that build whole reports and look at no picture."""

from __future__ import annotations

from typing import Any, TextIO

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are painted, but not rendered, which is half of a report's time; the sections' contract renders them."""

    def empty(_: Figure, file: TextIO, **options: Any) -> None:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="72pt" viewBox="0 0 72 72"/>')

    monkeypatch.setattr(Figure, "savefig", empty)
