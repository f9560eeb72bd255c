"""A scalarization frontier from suite file to verdict."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mtlbench.core.trial import FRONTIER
from mtlbench.runner.session import run

SUITE = """\
suite: tiny
problem: {name: digits, tasks: [digit, parity]}
architecture: {name: shared, trunk: mlp, hidden: [4]}
methods:
  equal: {weighting: equal}
  dwa: {weighting: dwa}
frontier: {points: 3}
optimizer: {name: adam, lr: 1.0e-2}
train: {epochs: 4, batch_size: 128}
seeds: 3
references: []
"""


def test_points_are_trained_and_methods_judged(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(SUITE)
    ran = run(path, executor="serial", out=tmp_path / "out")
    assert ran.ok
    assert not ran.missing
    assert len(list((tmp_path / "out" / "trials").glob("*.json"))) == 3 * (2 + 2 + 3 - 1)  # equal is a point, too
    points = ran.tables["frontier_points"]
    assert set(points["weights"]) == {"digit=0.5, parity=0.5", "digit=0.25, parity=0.75", "digit=0.75, parity=0.25"}
    assert len(points) == 3 * 2
    judged = ran.tables["frontier"].set_index("method")
    assert set(judged.index) == {"equal", "dwa"}
    assert set(judged["seeds"]) == {3}
    assert (judged["low"] <= judged["high"]).all()
    assert any("scalarization frontier of 3 fixed weightings" in sentence for sentence in ran.report.verdict)
    _the_uniform_point_is_equal_weights(ran.records)


def test_points_are_tuned_as_methods_are(tmp_path: Path) -> None:
    """Points and equal weights choose alike, and what both of them tried runs once."""
    path = tmp_path / "tiny.yaml"
    tune = "tune: {budget: 2, search: {optimizer.lr: {log: [1.0e-3, 1.0e-1]}}}\n"
    path.write_text(SUITE.replace("  dwa: {weighting: dwa}\n", "") + tune)
    ran = run(path, executor="serial", out=tmp_path / "out")
    assert ran.ok
    assert not ran.missing
    points = 3
    assert len(list((tmp_path / "out" / "trials").glob("*.json"))) == 3 * 2 * (2 + 1 + points - 1)
    _the_uniform_point_is_equal_weights(ran.records)
    tunings = ran.tables["tuning"][ran.tables["tuning"]["method"] == "frontier"]
    assert tunings["choices"].tolist() == [3 * points] * 2
    assert tunings["chosen"].sum() == 3 * points
    effort = ran.tables["tuning_effort"].set_index("method")
    assert effort["candidates"].tolist() == [2, 2, 2]
    assert (effort["seconds"] > 0).all()
    said = (tmp_path / "out" / "report.md").read_text()
    assert "the baseline and the points of the frontier too, chose from 2 candidates" in said


def _the_uniform_point_is_equal_weights(records: pd.DataFrame) -> None:
    main = records[records["main"] & (records["split"] == "test")]
    uniform = main[(main["role"] == FRONTIER) & (main["point"] == "digit=0.5, parity=0.5")]
    equal = main[(main["method"] == "equal") & (main["role"] == "")]
    keys = ["seed", "task", "metric", "value", "trial"]
    assert uniform[keys].reset_index(drop=True).equals(equal[keys].reset_index(drop=True))
