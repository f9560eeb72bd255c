"""bench/gpu.sh where there is no GPU: it says so before it does anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: the script would use it")
def test_it_says_what_is_missing(tmp_path: Path) -> None:
    command = ["bash", str(ROOT / "bench" / "gpu.sh"), str(tmp_path / "out")]
    ended = subprocess.run(command, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "expected a GPU that torch can use, got none" in ended.stderr
    assert not (tmp_path / "out").exists()
