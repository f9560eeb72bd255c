"""Results of version 1, one real file of each kind that keeps its facts differently, read as those of today."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtlbench.core.record import CORRELATION, COSINE, LOOKAHEAD_AFFINITY, VERSION, Record
from mtlbench.plan.history import FINISHED, STALE, History
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.sections import affinity, front, relations
from mtlbench.store import Store, Stored

FOLDER = Path(__file__).parent.parent / "version_1"
AFFINITY, RELATION, POINT, KERNEL = "ef843838ee41d863", "8169d3d1fde99dda", "60b2b2fed4196230", "f89ada38ed181fde"
TASKS = ("t1", "t2", "t3")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    return Store(tmp_path)


def stored(store: Store, trial_id: str) -> Stored:
    one = store.find(trial_id)
    assert one is not None
    return one


def as_written(trial_id: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((FOLDER / "trials" / f"{trial_id}.json").read_text())["result"][
        "records"
    ]
    return records


def test_old_trials_keep_their_ids_and_count_only_where_they_are_accepted(store: Store) -> None:
    trials = [one.trial for one in store.contents().stored]
    assert sorted(trial.id for trial in trials) == sorted([AFFINITY, RELATION, POINT, KERNEL])
    history = History(store.contents().stored)
    now = [replace(trial, sources="0" * 16) for trial in trials]
    assert {history.plan(trial).state for trial in now} == {STALE}
    assert {history.plan(history.accepting(trial)).state for trial in now} == {FINISHED}


def test_cosines_and_affinities_name_the_other_task(store: Store) -> None:
    records = stored(store, AFFINITY).result.records
    assert records[:2] == (
        Record(COSINE, 0.2975694537162781, "train", "t1", step=1, other="t2"),
        Record(LOOKAHEAD_AFFINITY, 0.00019672513008117676, "train", "t1", step=1, other="t2"),
    )
    measured = [record for record in records if record.split == "train"]
    assert {record.metric for record in measured} == {COSINE, LOOKAHEAD_AFFINITY}
    assert {(record.task, record.other) for record in measured} == {(a, b) for a in TASKS for b in TASKS if a != b}
    assert [record.value for record in records] == [record["value"] for record in as_written(AFFINITY)]


def test_correlations_name_the_other_task(store: Store) -> None:
    records = stored(store, RELATION).result.records
    assert [record for record in records if record.metric == CORRELATION] == [
        Record(CORRELATION, -0.0133, "train", "t1", "1", other="t2"),
        Record(CORRELATION, 0.1858, "train", "t1", "1", other="t3"),
        Record(CORRELATION, -0.0766, "train", "t2", "1", other="t3"),
    ]


@pytest.mark.parametrize("trial_id", [POINT, KERNEL])
def test_facts_about_no_pair_are_as_they_were(store: Store, trial_id: str) -> None:
    assert list(stored(store, trial_id).result.records) == [Record(**record) for record in as_written(trial_id)]


def test_failed_attempts_of_version_1_are_remembered(store: Store) -> None:
    assert [failure.error for failure in stored(store, AFFINITY).failures] == ["MtlbenchError: no"]


def test_what_is_written_again_is_of_this_version(store: Store) -> None:
    old = stored(store, RELATION)
    store.write(old.trial, old.result)
    content = json.loads(store.path(RELATION).read_text())
    assert content["result"]["version"] == VERSION
    assert stored(store, RELATION).result == old.result


def test_a_later_version_is_not_taken_for_this_one(store: Store) -> None:
    content = json.loads(store.path(RELATION).read_text())
    content["result"]["version"] = VERSION + 1
    store.path(RELATION).write_text(json.dumps(content))
    assert store.find(RELATION) is None


def test_reports_are_written_from_old_results(store: Store) -> None:
    """Cosines, correlations and the way of a point are where sections look for them."""
    frames = store.frames(one.trial for one in store.contents().stored)
    suite = {"problem": [{"name": "toy", "scale": 1.0}]}
    evidence = gather(frames.records, frames.trials, frames.environments, suite)
    pairs, learned, ways = (section.section(evidence) for section in (affinity, relations, front))
    assert pairs is not None
    assert learned is not None
    assert ways is not None
    cosines = pairs.tables[0].raw.set_index(["task", "with"])["cosine"]
    assert cosines["t1", "t2"] == pytest.approx((0.2975694537162781 + 0.23977923393249512) / 2)
    assert "most alike t1 and t3 (+0.19), least t2 and t3 (−0.08)" in learned.statements[0].text
    assert len(ways.figures) == 1
