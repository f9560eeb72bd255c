"""Floor and strong baseline stand beside the methods of a suite that says nothing of them, from plan to report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .conftest import Cli


def test_unasked_they_run_and_are_counted_nowhere(cli: Cli, suite: Path) -> None:
    suite.write_text(suite.read_text().replace("seeds: 2", "seeds: 1").replace("references: []\n", ""))
    assert "boosting" in cli("plan", suite).stdout
    ended = cli("run", suite, "--executor", "serial")
    assert ended.returncode == 0, ended.stderr
    folder = suite.parent / "results" / "small"
    methods = pd.read_csv(folder / "tables" / "methods.csv")
    assert methods.loc[methods["reference"], "method"].tolist() == ["constant", "boosting"]
    tasks = pd.read_csv(folder / "tables" / "tasks.csv").query("task == 'digit' and metric == 'accuracy'")
    means = dict(zip(tasks["method"], tasks["mean"], strict=True))
    assert means["constant"] < 15 < 90 < means["boosting"]
    assert len(pd.read_csv(folder / "tables" / "references.csv")) == 2 * 2
    assert "constant (floor)" in (folder / "report.html").read_text()
    assert "6 finished" in cli("plan", suite).stdout
