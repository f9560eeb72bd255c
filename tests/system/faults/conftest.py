"""Suites of trials that misbehave, and a Ray whose folder is a test's own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Misbehaving = Callable[..., Path]


@pytest.fixture
def misbehaving(suite: Path) -> Misbehaving:
    """A suite with one problem for each mode of the odd problem, and one trial of each."""

    def write(*modes: str) -> Path:
        odd = [f"{{name: 'odd:Odd', tasks: [digit], mode: {mode}, marker: mark, label: {mode}}}" for mode in modes]
        text = suite.read_text().replace("{name: digits, tasks: [digit, parity]}", f"[{', '.join(odd)}]")
        text = text.replace("  fixed: {weighting: {name: fixed, weights: {digit: 0.7, parity: 0.3}}}\n", "")
        suite.write_text(f"{text}resources: {{exclusive: none, timeout: 60s}}\n")
        return suite

    return write


@pytest.fixture
def ray_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of this test's Ray; its path is short, as Unix sockets need it."""
    folder = Path(tempfile.mkdtemp(prefix="mtl", dir="/tmp"))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)
