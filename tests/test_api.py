"""docs/api.md lists what is public: neither more nor less than the packages export."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "api.md").read_text()
NAMES = re.findall(r"^\| `(mtlbench(?:\.ops)?)\.(\w+)` \|", PAGE, re.MULTILINE)
BASES = re.findall(r"`(mtlbench\.[\w.]+)\.([A-Z]\w+)`", PAGE.split("## What an entry of your own builds on")[1])


@pytest.mark.parametrize("package", ["mtlbench", "mtlbench.ops"])
def test_what_is_exported_is_what_is_listed(package: str) -> None:
    listed = [name for home, name in NAMES if home == package]
    assert sorted(listed) == sorted(importlib.import_module(package).__all__)


@pytest.mark.parametrize(("package", "name"), NAMES + BASES)
def test_every_public_name_is_there_and_documented(package: str, name: str) -> None:
    assert getattr(importlib.import_module(package), name).__doc__
