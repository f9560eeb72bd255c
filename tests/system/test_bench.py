"""The scripts of bench/ still fit the library that they measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("script", sorted((ROOT / "bench").glob("*.py")), ids=lambda path: path.stem)
def test_a_short_run_ends_well(script: Path) -> None:
    command = [sys.executable, str(script), "--blocks", "2", "--trials", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "ours" in ended.stdout
