"""The package that CONTRIBUTING.md points to, installed as a third party's would be, and the places that it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent
PLUGIN = ROOT / "examples" / "plugin"
ENTRIES = {"weightings": "inverse", "problems": "breast_cancer", "architectures": "residual", "metrics": "worst_recall"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the plug-in was installed into."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGIN, folder / "source")  # setuptools leaves build/ behind where it builds
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    install = [sys.executable, "-m", "pip", "install", "-q", *offline, "--target", str(folder / "site"), str(source)]
    subprocess.run(install, check=True, capture_output=True, text=True)
    return folder / "site"


def _mtlbench(installed: Path, *words: str | Path) -> str:
    path = os.pathsep.join(filter(None, [str(installed), str(ROOT), os.environ.get("PYTHONPATH")]))
    surroundings = {**os.environ, "PYTHONPATH": path, "COLUMNS": "300"}
    command = [sys.executable, "-m", "mtlbench", *map(str, words)]
    ended = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_its_entries_stand_among_the_others(installed: Path) -> None:
    for room, name in ENTRIES.items():
        assert re.search(rf"^\W*{name}\b", _mtlbench(installed, "list", room), re.MULTILINE), room
    schema = json.loads(_mtlbench(installed, "schema"))
    assert {"weighting.inverse", "problem.breast_cancer", "architecture.residual"} <= set(schema["$defs"])


def test_its_suite_runs(installed: Path, tmp_path: Path) -> None:
    _mtlbench(installed, "run", PLUGIN / "suite.yaml", "--executor", "serial", "--seeds", "2", "--out", tmp_path)
    methods = pd.read_csv(tmp_path / "tables" / "methods.csv")
    assert set(methods.loc[~methods["reference"], "method"]) == {"single-task", "equal", "inverse"}
    assert methods["delta_m"].notna().all()
    assert {"worst_recall", "auc"} <= set(pd.read_csv(tmp_path / "tables" / "tasks.csv")["metric"])


def test_every_place_that_the_guide_names_is_there() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:mtlbench|csrc|tests|docs|bench|examples|results)/[\w./-]*)`", guide)
    assert len(named) > 20
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing
