"""Trials of several processes through the whole of `mtlbench run`."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

from mtlbench.core.statuses import ENDED_WELL, LOST

from .conftest import Cli

TOGETHER = "resources: {workers: 2}\n"
ONE_KILL = "{name: 'odd:Odd', mode: kill once, marker: met, tasks: [digit, parity]}"


def test_a_lost_process_is_told_and_its_trial_tried_again(cli: Cli, suite: Path) -> None:
    text = suite.read_text().replace("{name: digits, tasks: [digit, parity]}", ONE_KILL).replace("seeds: 2", "seeds: 1")
    suite.write_text(text + TOGETHER)
    done = cli("run", suite, "--only", "equal")
    assert done.returncode == 1, done.stderr  # the other trials are missing
    [path] = (suite.parent / "results" / "small" / "trials").glob("*.json")
    stored = json.loads(path.read_text())
    attempts = [*stored["failures"], stored["result"]]
    assert stored["trial"]["workers"] == 2
    assert "of 2 of the trial ended by SIGKILL" in attempts[0]["error"]
    assert [attempt["status"] in ENDED_WELL for attempt in attempts] == [False, True]
    assert attempts[0]["status"] == LOST
    left = psutil.Process().children(recursive=True)
    assert not any("mtlbench.runner.rank" in " ".join(process.cmdline()) for process in left)
