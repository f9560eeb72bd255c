"""A trunk with a parameter that no other has: one file beside the suite."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Cli

WAVE = '''
from mtlbench.architectures.trunks.base import Form, Trunk
from pydantic import Field
from torch import nn


class Wave(Trunk):
    """Layers of equal width."""

    takes = ("vectors",)
    waves: int = Field(2, ge=1, description="number of layers")

    def blocks(self, form: Form) -> list[nn.Module]:
        """Layers as wide as the inputs."""
        return [nn.Sequential(nn.Linear(*form.shape, *form.shape), nn.Tanh()) for _ in range(self.waves)]

    def width(self, form: Form) -> int:
        """That of the inputs."""
        return form.shape[0]
'''


def test_it_runs_is_recorded_and_its_code_counts(cli: Cli, suite: Path) -> None:
    (suite.parent / "mine.py").write_text(WAVE)
    text = suite.read_text().replace("seeds: 2", "seeds: 1")
    written = next(line for line in text.splitlines() if line.startswith("architecture:"))
    changed = text.replace(written, "architecture: {name: shared, trunk: {name: 'mine:Wave', waves: 3}}")
    suite.write_text(changed)
    ended = cli("run", suite, "--executor", "serial")
    assert ended.returncode == 0, ended.stderr
    (results,) = (suite.parent / "results").iterdir()
    trials = [json.loads(path.read_text())["trial"] for path in (results / "trials").glob("*.json")]
    assert {trial["architecture"]["name"] for trial in trials} == {"single", "shared"}
    assert all(trial["architecture"]["trunk"] == {"name": "mine:Wave", "waves": 3} for trial in trials)
    (suite.parent / "mine.py").write_text(WAVE + "    # changed\n")
    states = {trial["state"] for trial in json.loads(cli("plan", suite, "--json").stdout)["trials"]}
    assert states == {"stale"}
    suite.write_text(changed.replace("waves: 3", "wave: 3"))
    wrong = cli("plan", suite)
    assert wrong.returncode == 2
    assert "unknown key 'wave' of architecture.trunk, did you mean 'waves'?" in wrong.stderr
