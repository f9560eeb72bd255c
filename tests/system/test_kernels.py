"""Kernels from suite file to report, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mtlbench.measure.environment import gpu_names

from .conftest import Cli

SUITE = """\
suite: tiny
kernels:
  cases:
    - {name: adam, tensors: 3 x 100}
    - {name: 'odd:Odd', label: odd}
  contenders: [eager, torch_fused, fused, wrong]
  processes: 2
  rounds: 3
  seconds: 0.05
"""
ODD = '''
from typing import ClassVar
import torch
from mtlbench.kernels.base import Contender, Kernel, expect_close

class Odd(Kernel):
    """Fills with ones, or with what is wrong."""
    contenders: ClassVar = {"fused": "right", "eager": "right too", "wrong": "wrong"}

    @property
    def shape(self):
        return "ones"

    def traffic(self):
        return 4000

    def prepare(self, device):
        def fill(value):
            x = torch.zeros(1000)
            return Contender(lambda: x.fill_(value), lambda calls: expect_close("ones", x, torch.ones(1000)))
        return {"fused": lambda: fill(1.0), "eager": lambda: fill(1.0), "wrong": lambda: fill(0.9)}
'''


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "odd.py").write_text(ODD)
    path = tmp_path / "tiny.yaml"
    path.write_text(SUITE)
    return path


def test_plan_run_resume_and_report(cli: Cli, suite: Path) -> None:
    plan = cli("plan", suite)
    assert plan.returncode == 0, plan.stderr
    assert "adam 3 x 100" in plan.stdout
    assert "time, one trial after another: about" in plan.stdout

    first = cli("run", suite, "--executor", "serial")
    assert first.returncode == 0, first.stderr + first.stdout
    assert "times as fast" in first.stdout
    folder = suite.parent / "results" / "tiny"
    for suffix in ("csv", "md", "tex"):
        assert (folder / "tables" / f"kernels.{suffix}").stat().st_size > 0
    for name in ("kernels", "roofline"):
        assert "<svg" in (folder / "figures" / f"{name}.svg").read_text()
    table = pd.read_csv(folder / "tables" / "kernels.csv")
    assert set(table["kernel"]) == {"adam 3 x 100", "odd"}
    assert set(table["contender"]) == {"eager", "torch_fused", "fused"}
    assert "wrong was not timed: ones: expected the reference" in (folder / "report.md").read_text()

    trials = {path.name: path.stat().st_mtime_ns for path in (folder / "trials").glob("*.json")}
    assert len(trials) == 2 * 2
    again = cli("run", suite, "--executor", "serial")
    assert "4 finished" in again.stdout
    assert trials == {path.name: path.stat().st_mtime_ns for path in (folder / "trials").glob("*.json")}

    suite.write_text(SUITE.replace("3 x 100", "4 x 100"))
    changed = cli("plan", suite, "--json")
    assert json.loads(changed.stdout)["states"] == {"new": 2, "finished": 2}


def test_every_process_of_ray_is_a_process(cli: Cli, suite: Path) -> None:
    suite.write_text(SUITE.replace("    - {name: 'odd:Odd', label: odd}\n", "").replace(", wrong", ""))
    done = cli("run", suite)
    assert done.returncode == 0, done.stderr + done.stdout
    folder = suite.parent / "results" / "tiny" / "trials"
    stored = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert len(stored) == 2
    assert all(trial["result"]["alone"] for trial in stored)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("name: adam", "name: adm", "tiny.yaml:4:14: unknown kernel 'adm', did you mean 'adam'?"),
        ("3 x 100", "3 of 100", "tiny.yaml:4:29: kernel.tensors: expected COUNT x SHAPE"),
        ("torch_fused", "torch_fusd", "tiny.yaml:6:23: unknown contender 'torch_fusd', did you mean 'torch_fused'?"),
        ("processes: 2", "devices: [cuda]", "tiny.yaml:7:13: kernels.devices: expected a GPU on this machine"),
        ("label: odd", "label: adam 3 x 100", "tiny.yaml:5:7: two kernels are called 'adam 3 x 100'"),
        (
            "name: 'odd:Odd'",
            "name: 'mtlbench.core.settings:Train'",
            "expected a subclass of mtlbench.kernels.base.Kernel, got Train",
        ),
    ],
)
def test_bad_input(cli: Cli, suite: Path, old: str, new: str, fault: str) -> None:
    assert old in SUITE
    if "cuda" in new and gpu_names():
        pytest.skip("this machine has a GPU")
    suite.write_text(SUITE.replace(old, new))
    done = cli("plan", suite)
    assert done.returncode == 2
    assert fault in done.stderr
    assert "Traceback" not in done.stderr


def test_kernels_are_listed(cli: Cli) -> None:
    listed = cli("list", "kernels")
    assert listed.returncode == 0
    for word in ("adam", "combined_adam", "task_losses", "gramian", "training_step", "torch_fused", "liger"):
        assert word in listed.stdout
