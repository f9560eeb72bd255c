"""A whole run where the locale knows ASCII alone, of a suite that knows more."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.system.conftest import command, surroundings

SUITE = """\
suite: small
problem: {name: tabular, path: data.csv, targets: [größe, 値]}
architecture: {name: shared, trunk: mlp, hidden: [8]}
methods: {équilibré: {weighting: equal}, "sum Σ": {weighting: sum}}
engines: [eager]
optimizer: {name: adam, lr: 1.0e-2}
train: {epochs: 1, batch_size: 16}
seeds: 1
references: []
"""
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def test_nothing_is_lost_and_all_is_shown(tmp_path: Path) -> None:
    lines = ["x,größe,値", *(f"{i % 7},{i % 5}.5,{(i * i) % 11}" for i in range(60))]
    (tmp_path / "data.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "small.yaml").write_text(SUITE, encoding="utf-8")
    words = command("run", "small.yaml", "--executor", "serial")
    done = subprocess.run(words, cwd=tmp_path, env={**surroundings(), **ASCII}, capture_output=True, check=False)
    shown = (done.stdout + done.stderr).decode("ascii")
    assert done.returncode == 0, shown
    assert "Traceback" not in shown
    for said in ("grosse", "equilibre", "sum ?", "delta m"):
        assert said in shown
    for written in ("report.html", "report.md", "tables/tasks.csv"):
        text = (tmp_path / "results" / "small" / written).read_text(encoding="utf-8")
        assert "größe" in text
        assert "équilibré" in text


def test_a_folder_that_the_locale_cannot_name_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SUITE.replace("suite: small", "suite: prüfung"), encoding="utf-8")
    words = command("plan", "small.yaml")
    done = subprocess.run(words, cwd=tmp_path, env={**surroundings(), **ASCII}, capture_output=True, check=False)
    shown = done.stderr.decode("ascii")
    assert done.returncode == 2, shown
    assert "Traceback" not in shown
