"""results/reference/README.md is what its script writes today."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "results").exists(), reason="a source distribution holds no results")


def test_the_page_is_current() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))
    written = (ROOT / "results" / "reference" / "README.md").read_text()
    assert written == script["page"](), "out of date: python docs/make_reference.py > results/reference/README.md"
