"""The store: whole files or nothing, failures remembered, frames as the suite labels them today."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mtlbench.core.errors import MtlbenchError
from mtlbench.core.record import Record, Result
from mtlbench.core.statuses import ENDED_BADLY, ENDED_WELL
from mtlbench.core.trial import FRONTIER
from mtlbench.store import Frames, Store, write_atomically
from mtlbench.store.facts import Kinds
from tests.trials import altered, train_trial

TRIAL = train_trial(
    problem={"name": "digits", "flat": True},
    tasks=("digit", "parity"),
    learner={"name": "gradient"},
    architecture={"name": "shared", "hidden": [4]},
    weighting={"name": "equal"},
    engine="eager",
    optimizer={"name": "adam", "lr": 0.001},
    schedule={"name": "constant"},
    train={"epochs": 2},
    seed=3,
    suite="s",
    method="equal",
    resources={"cpus": 1, "gpus": 0, "timeout": 5.0},
)
OK = Result("ok", records=(Record("loss", 0.5, "test", "digit", step=1, higher_is_better=False),), shared=False)
FAILED = Result("failed", error="ValueError: no", traceback="Traceback …\nValueError: no")


@pytest.mark.parametrize("status", [*ENDED_WELL, *ENDED_BADLY])
def test_every_status_is_kept(tmp_path: Path, status: str) -> None:
    result = Result(status, error="" if status in ENDED_WELL else "why", peak_memory=3 << 30)
    Store(tmp_path).write(TRIAL, result)
    assert Store(tmp_path).result(TRIAL) == result
    assert Store(tmp_path).result(TRIAL).ok == (status in ENDED_WELL)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(TRIAL, OK)
    stored = store.find(TRIAL.id)
    assert stored is not None
    assert (stored.trial, stored.result, stored.failures) == (TRIAL, OK, ())


def test_failed_attempts_are_remembered_in_order(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for result in (FAILED, replace(FAILED, attempt=2, error="again"), replace(OK, attempt=3)):
        store.write(TRIAL, result)
    stored = store.find(TRIAL.id)
    assert stored is not None
    assert [failure.error for failure in stored.failures] == ["ValueError: no", "again"]
    assert stored.result.attempt == 3


PROMISED = (
    *("trial", "kind", "suite", "problem", "method", "architecture", "weighting", "engine", "optimizer", "seed"),
    *("attempt", "split", "task", "metric", "value", "unit", "higher_is_better", "step", "environment"),
)
BROKEN = ["", "{", "[]", '{"trial": {}}', "nonsense \x00", '{"trial": {"x": 1}, "result": {}}']


@pytest.mark.parametrize("content", BROKEN)
def test_an_unreadable_file_means_run_again(tmp_path: Path, content: str) -> None:
    store = Store(tmp_path)
    store.write(TRIAL, OK)
    store.path(TRIAL.id).write_text(content)
    assert store.find(TRIAL.id) is None
    assert store.contents().stored == ()


def test_any_cut_of_a_trial_file_is_readable_or_absent(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(TRIAL, OK)
    whole = store.path(TRIAL.id).read_text()
    for length in range(0, len(whole) - 2, 7):
        store.path(TRIAL.id).write_text(whole[:length])
        assert store.find(TRIAL.id) is None


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_labels_come_from_the_suite_of_today(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(TRIAL, OK)
    renamed = altered(TRIAL, method="new name")
    frames = store.frames([renamed, altered(TRIAL, seed=4)])
    assert frames.records["method"].tolist() == ["new name"]
    assert frames.trials["status"].tolist() == ["ok", "missing"]
    assert frames.records["architecture"].tolist() == ["shared"]
    assert json.loads(frames.trials["settings"][0]) == renamed.parts


def test_a_failed_trial_has_no_facts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(TRIAL, replace(FAILED, records=OK.records))
    frames = store.frames([TRIAL])
    assert len(frames.records) == 0
    assert frames.trials["error"].tolist() == ["ValueError: no"]


def test_parquet_is_tidy_even_when_empty(tmp_path: Path) -> None:
    import pandas as pd

    store = Store(tmp_path)
    store.frames([TRIAL]).write(tmp_path, {})
    empty = pd.read_parquet(tmp_path / "records.parquet")
    store.write(TRIAL, OK)
    store.frames([TRIAL]).write(tmp_path, {})
    full = pd.read_parquet(tmp_path / "records.parquet")
    assert set(PROMISED) <= set(full.columns)
    assert list(full.columns) == list(empty.columns)
    assert (len(empty), len(full)) == (0, 1)


def test_a_copy_without_trials_reads_as_the_run_did(tmp_path: Path) -> None:
    import pandas as pd

    store, suite = Store(tmp_path), {"suite": "s", "command": "mtlbench run s.yaml"}
    failing, absent = replace(TRIAL, seed=4), replace(TRIAL, seed=5)
    store.write(TRIAL, replace(OK, environment={"cores": 2, "gpus": []}, notes=("one", "two")))
    store.write(failing, FAILED)
    store.write_index([TRIAL, failing, absent], {"suite": "s"}, suite["command"])
    before, _ = store.read()
    before.write(tmp_path, suite)
    shutil.rmtree(tmp_path / "trials")
    (tmp_path / "index.json").unlink()
    after, kept_suite = store.read()
    pd.testing.assert_frame_equal(after.records, before.records, check_dtype=False)
    pd.testing.assert_frame_equal(after.trials, before.trials, check_dtype=False)
    assert after.trials["status"].tolist() == ["ok", "failed", "missing"]
    assert (after.environments, kept_suite) == (before.environments, suite)


@pytest.mark.parametrize("lost", ["trials.parquet", "records.parquet"])
def test_half_a_copy_is_refused_by_name(tmp_path: Path, lost: str) -> None:
    store = Store(tmp_path)
    store.frames([TRIAL]).write(tmp_path, {})
    (tmp_path / lost).unlink()
    with pytest.raises(MtlbenchError, match=f"expected run.json.*{lost}"):
        store.read()


def _holds_lock(folder: str, ready: object, done: object) -> None:
    with Store(Path(folder)).lock():
        ready.set()  # type: ignore[attr-defined]
        done.wait(30)  # type: ignore[attr-defined]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_holds_lock, args=(str(tmp_path), ready, done))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(MtlbenchError, match="another mtlbench run"), Store(tmp_path).lock():
            pass
    finally:
        done.set()
        other.join()
    with Store(tmp_path).lock():
        pass


def test_index_round_trip_and_its_absence(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(MtlbenchError, match="results folder"):
        store.index()
    store.write_index([TRIAL], {"suite": "s"}, "mtlbench run s.yaml", profile="quick")
    assert store.index() == ((TRIAL,), {"suite": "s", "command": "mtlbench run s.yaml", "profile": "quick"})


def test_the_kept_suite_says_where_its_paths_start(tmp_path: Path) -> None:
    store = Store(tmp_path / "results" / "s")
    store.write_index([TRIAL], {"suite": "s"}, root=tmp_path / "suites")
    text = (store.folder / "suite.yaml").read_text()
    assert "from here ../../suites: to run this copy" in text
    assert all(line.startswith("#") for line in text.splitlines()[:-1])
    assert text.endswith("suite: s\n")


def test_a_copy_from_before_points_had_a_column_is_read_as_one_of_today(tmp_path: Path) -> None:
    trials = [TRIAL, TRIAL.labelled(role=FRONTIER, point="a=0.5", method="frontier"), TRIAL.labelled(choice="lr=1")]
    kinds = Kinds()
    facts = kinds.facts([Record("loss", 1.0, "test", "digit")])
    today = Frames.of(((trial, Result("ok"), facts) for trial in trials), kinds)
    records, rows = (
        frame.assign(choice=frame["choice"].where(frame["role"] != FRONTIER, frame["point"])).drop(columns="point")
        for frame in (today.records.astype({"choice": str, "point": str}), today.trials)  # words were no categories
    )
    Frames(records, rows, today.environments).write(tmp_path, {})
    found, _ = Frames.read(tmp_path)
    for read, made in ((found.records, today.records), (found.trials, today.trials)):
        assert read["point"].tolist() == ["", "a=0.5", ""]
        assert read["choice"].tolist() == made["choice"].tolist() == ["", "", "lr=1"]
