"""A small suite on real data, and the command line as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SUITE = """\
suite: small
problem: {name: digits, tasks: [digit, parity]}
architecture: {name: shared, trunk: mlp, hidden: [16]}
methods:
  equal: {weighting: equal}
  fixed: {weighting: {name: fixed, weights: {digit: 0.7, parity: 0.3}}}
engines: [eager]
optimizer: {name: adam, lr: 1.0e-3}
train: {epochs: 2, batch_size: 64}
seeds: 2
references: []
"""
# A problem that misbehaves as its suite asks; it lives beside the suite, as a user's own would.
ODD = '''
import os, pathlib, signal, time
from mtlbench.problems.small.digits import Digits

class Odd(Digits):
    """Digits that misbehave."""
    mode: str = "well"
    marker: str = ""

    def load(self, seed, root):
        marker = pathlib.Path(root, self.marker) if self.marker else None
        if self.mode == "raise" and not (marker and marker.exists()):
            raise RuntimeError("the disk is on fire")
        if self.mode == "kill once" and not marker.exists():
            marker.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "hang":
            time.sleep(600)
        return super().load(seed, root)
'''

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite file in a folder of its own, beside a module with an odd problem."""
    (tmp_path / "odd.py").write_text(ODD)
    path = tmp_path / "small.yaml"
    path.write_text(SUITE)
    return path


def command(*words: str | Path) -> list[str]:
    """The command line, by this environment's Python."""
    return [sys.executable, "-m", "mtlbench", *map(str, words)]


def surroundings() -> dict[str, str]:
    """The environment of a terminal that is wide enough for every table."""
    return {**os.environ, "COLUMNS": "300", "NO_COLOR": "1"}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run a command in the suite's folder to its end."""

    def run(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words), cwd=tmp_path, env=surroundings(), capture_output=True, text=True, timeout=300, check=False
        )

    return run
