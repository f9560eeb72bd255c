"""The scripts of bench/ still fit the library that they measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtlbench.plan.reading import tables
from mtlbench.suite.reader import read_suite

ROOT = Path(__file__).parent.parent.parent


SHORT = {  # what makes a run of a script short
    "overhead": ["--blocks", "2", "--trials", "1"],
    "scale": ["{folder}", "--trials", "24", "make", "plan", "report"],
    "solvers": ["--blocks", "2"],
}
SAID = {"overhead": "ours", "scale": "report", "solvers": "torch / kernels"}


@pytest.mark.parametrize("script", sorted((ROOT / "bench").glob("*.py")), ids=lambda path: path.stem)
def test_a_short_run_ends_well(script: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(script), *(word.format(folder=tmp_path) for word in SHORT[script.stem])]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert SAID[script.stem] in ended.stdout


def test_the_profile_of_nyuv2_is_on_whole_frames() -> None:
    """A profile's mapping would be laid over the suite's: the tiles and the 40 classes of its two frames would stay."""
    suite = read_suite(ROOT / "bench" / "suites" / "dense.yaml", tables=tables(), profile="nyuv2")
    problem: Any = suite.problems[0].config
    assert len(suite.problems) == 1
    assert (problem.classes, problem.tiles, problem.divide, problem.size) == (13, 1, "frames", None)
    assert problem.path.endswith("nyuv2")
