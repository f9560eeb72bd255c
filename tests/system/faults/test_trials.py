"""Trials that end in every bad way: each is told by its status and its reason, and takes nothing else with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

import mtlbench
from mtlbench.cli import _display
from mtlbench.core.statuses import FAILED, LOST, OUT_OF_MEMORY
from mtlbench.runner.ray_nodes import Node

from .conftest import Misbehaving

ONE = "equal"  # one trial a problem


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """The result of each trial on disk, by the label of its problem."""
    files = [json.loads(path.read_text()) for path in (folder / "trials").glob("*.json")]
    return {file["trial"]["problem_label"]: file["result"] | {"failures": file["failures"]} for file in files}


def test_every_bad_end_has_its_status_and_reason(
    misbehaving: Misbehaving, ray_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mtlbench.runner.ray_scheduler.RETRIES", 1)
    suite = misbehaving("exit", "interrupt", "escape", "crash", "end", "well")
    run = mtlbench.run(suite, seeds=1, only=ONE, out=suite.parent / "out", display=_display)
    found = results(suite.parent / "out")
    statuses = {label: result["status"] for label, result in found.items()}
    assert statuses == {"exit": FAILED, "interrupt": FAILED, "escape": FAILED, "crash": LOST, "end": LOST, "well": "ok"}
    assert found["exit"]["error"] == "SystemExit: enough"
    assert found["interrupt"]["error"] == "KeyboardInterrupt: mine"
    assert "before" in found["escape"]["error"]
    assert "after" in found["escape"]["error"]
    assert found["crash"]["error"] == "its worker died of a Segmentation fault"
    assert "string_at" in found["crash"]["traceback"]  # where
    assert found["end"]["error"] == "its worker died, killed or by an exit of its own"
    assert {label: len(result["failures"]) for label, result in found.items() if result["status"] == LOST} == {
        "crash": 1,
        "end": 1,
    }
    said = capfd.readouterr()
    assert "lost    crash/" in said.out
    assert "3 failed, 2 lost" in said.out
    tables = "".join(path.read_text() for path in (suite.parent / "out/tables").iterdir())
    report = (suite.parent / "out/report.md").read_text()
    assert "1 of 12 planned trials finished; 3 failed, 2 lost; 6 did not run" in report
    assert not {c for c in said.out + said.err + tables + report if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n"}
    assert "raylet" not in said.out + said.err
    assert said.err == ""
    assert not list(ray_folder.iterdir())
    assert not run.ok


@pytest.mark.soak
def test_a_trial_that_waits_in_rays_queue_is_not_late(
    misbehaving: Misbehaving, ray_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray has two CPUs, and two trials that hang have them; the third starts long after it was handed over."""
    monkeypatch.setattr("mtlbench.runner.ray_cluster._LOCAL", {**_local(), "num_cpus": 2})
    monkeypatch.setattr("mtlbench.runner.ray_cluster.alive", lambda: (Node("more than there is", 64, 0),))
    monkeypatch.setattr("mtlbench.runner.ray_scheduler.GRACE", 1.0)
    suite = misbehaving("hang", "well")
    suite.write_text(suite.read_text().replace("timeout: 60s", "timeout: 40s"))
    mtlbench.run(suite, seeds=2, only=ONE, out=suite.parent / "out")
    files = [json.loads(path.read_text()) for path in (suite.parent / "out/trials").glob("*.json")]
    ended = sorted((file["trial"]["problem_label"], file["result"]["status"]) for file in files)
    assert ended == [("hang", "timeout"), ("hang", "timeout"), ("well", "ok"), ("well", "ok")]
    assert not any(file["failures"] for file in files)


def _local() -> dict[str, Any]:
    from mtlbench.runner.ray_cluster import _LOCAL

    return _LOCAL


def _in_use() -> int:
    memory = psutil.virtual_memory()
    return memory.total - memory.available


@pytest.mark.soak
def test_rays_memory_monitor_stops_a_trial(
    misbehaving: Misbehaving, ray_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take 1 GiB more than is in use now, and would take 2."""
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{(_in_use() + (1 << 30)) / psutil.virtual_memory().total:.4f}")
    monkeypatch.setattr("mtlbench.runner.ray_scheduler.RETRIES", 0)
    suite = misbehaving("allocate")
    run = mtlbench.run(suite, seeds=1, only=ONE, out=suite.parent / "out")
    (result,) = results(suite.parent / "out").values()
    assert result["status"] == OUT_OF_MEMORY
    assert result["peak_memory"] > 1 << 28  # Ray says so
    assert "memory" in result["error"]
    assert "Top 10" not in result["traceback"]  # other people's command lines
    assert "1 ran out of memory" in run.report.markdown
