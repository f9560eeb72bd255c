"""A metric of the user's own, in a file beside the suite, and a scorer of scikit-learn: from YAML to the report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from .conftest import SUITE, Cli

MINE = '''
from mtlbench.core.metrics.base import CountMetric

class Misses(CountMetric):
    """Share of positions whose class is not predicted."""
    higher_is_better = False

    def counted(self, confusion):
        return float(100 - 100 * confusion.trace() / confusion.sum())
'''
CHOSEN = "metrics: {digit: ['mine:Misses', accuracy], parity: ['sklearn:average_precision', auc]}"


def test_from_the_suite_to_the_report(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    suite = tmp_path / "small.yaml"
    suite.write_text(SUITE.replace("[digit, parity]}", f"[digit, parity], {CHOSEN}}}"))
    ended = cli("run", suite, "--executor", "serial")
    assert ended.returncode == 0, ended.stderr
    folder = tmp_path / "results" / "small"
    records = pd.read_parquet(folder / "records.parquet").query("split == 'test'")
    wide = records.pivot_table(index=["trial", "task"], columns="metric", values="value").reset_index()
    digit, parity = (wide[wide["task"] == task] for task in ("digit", "parity"))
    assert digit["mine:Misses"].tolist() == pytest.approx((100 - digit["accuracy"]).tolist())
    assert parity["sklearn:average_precision"].between(0.5, 1).all()

    table = pd.read_csv(folder / "tables" / "tasks.csv").set_index("metric")
    mine, sklearns = table.loc[["mine:Misses"]], table.loc[["sklearn:average_precision"]]
    assert set(mine["unit"]) == {"%"}
    assert not mine["higher_is_better"].any()
    assert sklearns["higher_is_better"].all()
    assert set(table.index[table["main"]]) == {"mine:Misses", "sklearn:average_precision"}
    report = (folder / "report.html").read_text()
    assert "digit mine:Misses [%]" in report
    assert "parity sklearn:average_precision" in report

    assert "8 finished" in cli("run", suite, "--executor", "serial").stdout
    (tmp_path / "mine.py").write_text(MINE.replace("100 - 100 *", "1 - "))
    assert "8 finished" not in cli("plan", suite).stdout, "what a metric says has changed, so trials run again"
    (tmp_path / "mine.py").unlink()
    assert cli("report", folder).returncode == 0, "a report needs no code of the user's"
