"""`mtlbench run` from suite file to report, in this process's executor and on Ray."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import mtlbench

from .conftest import Cli


def _facts(folder: Path) -> pd.DataFrame:
    """Everything of a run but times and memory, in a fixed order."""
    records = pd.read_parquet(folder / "records.parquet")
    timed = records["metric"].str.contains("seconds|per_second|memory")
    keys = ["trial", "split", "task", "other", "metric", "step"]
    return records[~timed].drop(columns=["environment", "attempt"]).sort_values(keys).reset_index(drop=True)


def test_the_whole_way_and_again(cli: Cli, suite: Path) -> None:
    first = cli("run", suite, "--executor", "serial")
    assert first.returncode == 0, first.stderr
    folder = suite.parent / "results" / "small"
    for name in ("methods", "tasks", "throughput"):
        for suffix in ("csv", "md", "tex"):
            assert (folder / "tables" / f"{name}.{suffix}").stat().st_size > 0
    assert "<html" in (folder / "report.html").read_text()
    assert (folder / "report.md").read_text().strip()
    trials = {path.name: path.stat().st_mtime_ns for path in (folder / "trials").glob("*.json")}
    assert len(trials) == 2 * (2 + 2)  # seeds × (two single tasks + two methods)

    again = cli("run", suite, "--executor", "serial")
    assert again.returncode == 0
    assert "8 finished" in again.stdout
    assert trials == {path.name: path.stat().st_mtime_ns for path in (folder / "trials").glob("*.json")}

    suite.write_text(suite.read_text().replace("digit: 0.7, parity: 0.3", "digit: 0.6, parity: 0.4"))
    changed = cli("run", suite, "--executor", "serial")
    assert changed.returncode == 0
    assert "weighting.weights.digit 0.7 → 0.6" in changed.stdout
    methods = pd.read_csv(folder / "tables" / "methods.csv")
    assert set(methods["method"]) == {"single-task", "equal", "fixed"}

    # A copy without the files of single trials, as kept under results/reference, gives the same report byte for byte.
    rebuilt = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.parts[-2] in ("tables", "figures")}
    rebuilt |= {path: path.read_bytes() for path in (folder / "report.html", folder / "report.md")}
    for path in rebuilt:
        path.unlink()
    shutil.rmtree(folder / "trials")
    (folder / "index.json").unlink()
    assert cli("report", folder).returncode == 0
    assert rebuilt == {path: path.read_bytes() for path in rebuilt}


def test_ray_gives_the_same_bits_as_serial(cli: Cli, suite: Path) -> None:
    assert cli("run", suite, "--executor", "serial", "--out", "a").returncode == 0
    ray = cli("run", suite, "--out", "b", "--max-parallel", "2")
    assert ray.returncode == 0, ray.stdout + ray.stderr
    pd.testing.assert_frame_equal(_facts(suite.parent / "a"), _facts(suite.parent / "b"))


def test_what_fails_is_told_and_tried_again_while_the_rest_goes_on(cli: Cli, suite: Path) -> None:
    odd = "problem: {name: 'odd:Odd', tasks: [digit, parity], mode: raise, marker: mended, label: odd}"
    suite.write_text(suite.read_text().replace("problem: {name: digits, tasks: [digit, parity]}", odd))
    suite.write_text(suite.read_text() + "resources: {exclusive: none}\n")
    text = suite.read_text().replace("problem: {", "problem: [{").replace("label: odd}", "label: odd}, digits]")
    text = text.replace("  fixed: {weighting: {name: fixed, weights: {digit: 0.7, parity: 0.3}}}\n", "")
    suite.write_text(text)
    first = cli("run", suite, "--executor", "serial", "--seeds", "1")
    assert first.returncode == 1
    assert "the disk is on fire" in first.stdout
    assert "Traceback" not in first.stdout + first.stderr
    trials = [json.loads(path.read_text()) for path in (suite.parent / "results/small/trials").glob("*.json")]
    failed = [trial for trial in trials if trial["result"]["status"] == "failed"]
    assert len(failed) == 3
    assert len(trials) == 3 + 4
    assert all("Traceback" in trial["result"]["traceback"] for trial in failed)

    (suite.parent / "mended").write_text("")
    second = cli("run", suite, "--executor", "serial", "--seeds", "1")
    assert second.returncode == 0, second.stdout
    assert "4 finished" in second.stdout
    assert "3 failed before" in second.stdout
    for path in (suite.parent / "results/small/trials").glob("*.json"):
        trial = json.loads(path.read_text())
        assert (trial["result"]["attempt"], len(trial["failures"])) in {(1, 0), (2, 1)}


def test_lost_workers_and_hanging_trials(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed worker is retried, a trial past its time is stopped, and both are on record."""
    text = suite.read_text().replace("  fixed: {weighting: {name: fixed, weights: {digit: 0.7, parity: 0.3}}}\n", "")
    once = "{name: 'odd:Odd', tasks: [digit], mode: kill once, marker: killed, label: once}"
    hang = "{name: 'odd:Odd', tasks: [digit], mode: hang, label: hangs}"
    text = text.replace("{name: digits, tasks: [digit, parity]}", f"[{once}, {hang}]")
    suite.write_text(text.replace("equal: {weighting: equal}", "random: {weighting: random, train: {epochs: 1}}"))
    with suite.open("a") as file:
        file.write("resources: {timeout: 30s, exclusive: none}\n")
    monkeypatch.setattr("mtlbench.runner.ray_scheduler.GRACE", 1.0)
    run = mtlbench.run(suite, seeds=1, out=suite.parent / "out")
    assert {title.split("/")[0] for title in run.failed} == {"hangs"}
    assert all("timeout" in failure.error for failure in run.failed.values())
    trials = [json.loads(path.read_text()) for path in (suite.parent / "out/trials").glob("*.json")]
    retried = [trial for trial in trials if trial["failures"]]
    assert retried
    assert {trial["result"]["status"] for trial in retried} == {"ok"}
    assert not run.ok


def test_the_python_way(suite: Path) -> None:
    run = mtlbench.run(suite, executor="serial", seeds=1, out=suite.parent / "out")
    assert run.ok
    assert {"trial", "seed", "task", "metric", "value"} <= set(run.records.columns)
    assert set(run.tables["methods"]["method"]) == {"single-task", "equal", "fixed"}


def test_candidates_run_first_and_what_they_chose_runs_then(cli: Cli, suite: Path) -> None:
    text = suite.read_text().replace("seeds: 2", "seeds: 1")
    text = text.replace(
        "{name: fixed, weights: {digit: 0.7, parity: 0.3}}", "{name: fixed, weights: cross_validated, parts: 3}"
    )
    suite.write_text(text.replace("equal: {weighting: equal}", "equal: {tune: {optimizer.lr: [1.0e-5, 1.0e-2]}}"))
    first = cli("run", suite, "--executor", "serial")
    assert first.returncode == 0, first.stderr
    assert "2 choices wait for their candidates" in first.stdout
    folder = suite.parent / "results" / "small"
    assert len(list((folder / "trials").glob("*.json"))) == 2 + 2 + 2 * 3 + 1  # the chosen lr had run already
    tuning = pd.read_csv(folder / "tables" / "tuning.csv")
    assert tuning.groupby("method")["chosen"].sum().to_dict() == {"equal": 1, "fixed": 1}
    assert tuning.loc[tuning["chosen"] == 1, "choice"].iloc[0] == "optimizer.lr=0.01"
    assert set(pd.read_csv(folder / "tables" / "methods.csv")["method"]) == {"single-task", "equal", "fixed"}
    again = cli("run", suite, "--executor", "serial")
    assert "12 finished" in again.stdout  # two of them are one trial under two names
    assert "wait" not in again.stdout


def test_a_larger_budget_runs_the_additional_points_alone(suite: Path) -> None:
    """Two methods, two seeds, and the baseline: four points each, then eight."""
    cagrad = "{weighting: cagrad, tune: {search: {weighting.c: {linear: [0, 1]}}}}"
    text = "problem: linnerud\narchitecture: {name: shared, trunk: mlp, hidden: [4]}\n"
    text += f"methods: {{equal: {{}}, cagrad: {cagrad}}}\noptimizer: adam\n"
    text += "train: {epochs: 1}\nseeds: 2\nreferences: []\n"
    search = "tune: {budget: 4, search: {optimizer.lr: {log: [0.01, 1]}, train.batch_size: {values: [4, 8]}}}\n"
    suite.write_text(text + search)
    out = suite.parent / "out"
    few = mtlbench.run(suite, executor="serial", out=out)
    assert few.ok
    ran = {path.name: path.stat().st_mtime_ns for path in (out / "trials").glob("*.json")}
    ways = (3 + 2) * 2  # a task of the baseline, or a method, of a seed
    assert len(ran) == ways * 4
    suite.write_text(text + search.replace("budget: 4", "budget: 8"))
    many = mtlbench.run(suite, executor="serial", out=out)
    paths = list((out / "trials").glob("*.json"))
    assert len(paths) == ways * 8
    assert {path.name: path.stat().st_mtime_ns for path in paths if path.name in ran} == ran
    for run, budget in ((few, 4), (many, 8)):
        methods = run.tables["methods"]
        assert methods["candidates"].tolist() == [budget] * 3
        assert (methods["tuning_seconds"] > 0).all()
        chosen = run.tables["tuning"].groupby("method")["chosen"].sum()
        assert chosen.to_dict() == {"single-task": 6, "equal": 2, "cagrad": 2}
        assert {"tuning"} <= set(run.report.figures)
    best = [run.tables["tuning"].groupby("method")["score"].min() for run in (few, many)]
    assert (best[1] <= best[0]).all()  # means over seeds of the same candidates, and of more
    tried = [list(run.tables["tuning"].query("method == 'cagrad'")["choice"]) for run in (few, many)]
    assert tried[1][:4] == tried[0]


def test_where_all_candidates_failed_nothing_runs_twice(suite: Path) -> None:
    worst = "{tune: {optimizer: [{name: sgd, lr: 1.0e+30}, {name: sgd, lr: 1.0e+31}]}}"
    suite.write_text(suite.read_text().replace("{weighting: equal}", worst))
    run = mtlbench.run(suite, executor="serial", seeds=1, only="equal", out=suite.parent / "out")
    assert list(run.failed) == ["digits/equal/eager/seed0"]
    (told,) = {failure.error for failure in run.failed.values()}
    assert told.startswith("all 2 candidates failed, the first with: ")
    trials = [json.loads(path.read_text()) for path in (suite.parent / "out/trials").glob("*.json")]
    assert [(trial["result"]["attempt"], trial["failures"]) for trial in trials] == [(1, []), (1, [])]
    assert told in (suite.parent / "out/report.md").read_text()
