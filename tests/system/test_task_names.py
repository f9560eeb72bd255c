"""Task names are values: no character in them is a separator anywhere between the suite and the report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import mtlbench

NAMES = ("price, EUR", "sold", 'a: "b" + c\'s', "price, EUR,sold")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of related numbers under these names."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((120, 3))
    targets = features @ rng.standard_normal((3, 1)) + 0.5 * rng.standard_normal((120, len(NAMES)))
    frame = pd.DataFrame(features, columns=["x", "y", "z"]).join(pd.DataFrame(targets, columns=list(NAMES)))
    frame.to_csv(tmp_path / "sales.csv", index=False)
    return tmp_path


def run(folder: Path, tasks: tuple[str, ...], **suite: object) -> mtlbench.Run:
    """One run of methods on these targets, in this process."""
    others = [name for name in NAMES if name not in tasks]
    problem = {"name": "tabular", "path": "sales.csv", "targets": list(tasks), "drop": others}
    content = {"suite": "names", "problem": problem, "seeds": 2, **suite}
    (folder / "names.yaml").write_text(yaml.safe_dump(content))
    result = mtlbench.run(folder / "names.yaml", executor="serial", out=folder / "out")
    assert result.ok, result.failed
    return result


GRADIENT = {
    "architecture": {"name": "shared", "trunk": "mlp", "hidden": [4]},
    "optimizer": "adam",
    "train": {"epochs": 1, "batch_size": 32},
    "methods": {"equal": {"weighting": "equal"}},
}


@pytest.mark.parametrize("tasks", [NAMES[:2], NAMES[:3], NAMES], ids=len)
def test_pairs_of_tasks_recommend_a_grouping(folder: Path, tasks: tuple[str, ...]) -> None:
    result = run(folder, tasks, affinity="equal", **GRADIENT)
    assert re.search("the pairs recommend the groups|no group of tasks is predicted to gain", result.report.html)
    pairs = result.tables["affinity"].set_index(["task", "with"])
    assert set(pairs.index) == {(one, other) for one in tasks for other in tasks if one != other}
    assert np.isfinite(pairs[["gain", "cosine", "affinity"]]).all(axis=None)
    assert list(result.tables["tasks"]["task"].unique()) == list(tasks)
    records = pd.read_parquet(result.folder / "records.parquet")
    assert set(records["task"]) | set(records["other"]) == {"", *tasks}
    assert set(records.loc[records["other"] != "", "metric"]) == {"cosine", "affinity"}


def test_learned_relations_name_both_tasks(folder: Path) -> None:
    result = run(folder, NAMES, methods={"mtrl": {"learner": "mtrl"}}, single_task={"learner": "ridge"})
    assert "most alike" in result.report.html
    learned = result.records[result.records["metric"] == "correlation"]
    pairs = list(learned.loc[learned["seed"] == 0, ["task", "other"]].itertuples(index=False, name=None))
    assert pairs == [(one, other) for i, one in enumerate(NAMES) for other in NAMES[i + 1 :]]


def test_a_method_of_some_tasks_is_compared_on_these_alone(folder: Path) -> None:
    """ "price, EUR,sold" is neither of the tasks in it."""
    methods = {**GRADIENT["methods"], "moved": {"learner": {"name": "transfer", "target": [NAMES[3]]}}}  # type: ignore[dict-item]
    result = run(folder, NAMES, **{**GRADIENT, "methods": methods})
    table = result.tables["methods"].set_index("method")
    assert table.loc["moved", "tasks"] == (NAMES[3],)
    assert np.isfinite(table.loc[["moved"], "delta_m"]).all()
    tasks = result.tables["tasks"]
    assert set(tasks.loc[tasks["method"] == "moved", "task"]) == {NAMES[3]}
