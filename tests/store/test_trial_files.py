"""A file is believed where it is what was written under its name, and set aside, with the reason, everywhere else."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mtlbench.core.errors import MtlbenchError
from mtlbench.core.record import VERSION, Record, Result
from mtlbench.plan.history import FINISHED, NEW, REFUSED, STALE, History
from mtlbench.store import Store, Stored
from mtlbench.store.sealed import sealed
from tests.trials import altered

from .hostile import HUGE, THINGS, changed, damaged, mistyped, open_, places, texts
from .test_folder import FAILED, TRIAL

MADE = replace(TRIAL, sources="0123456789abcdef")
RECORDS = (
    Record("loss", 0.5, "test", "digit", step=1, higher_is_better=False),
    Record("loss", 0.7, "validation", "digit", step=1),
    Record("epochs", 2.0),
)
OK = Result("ok", attempt=2, records=RECORDS, alone=True, seconds=1.0, notes=("n",), environment={"cores": 2, "v": {}})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.write(MADE, FAILED)
    store.write(MADE, OK)
    return store


@pytest.fixture
def text(store: Store) -> str:
    return store.path(MADE.id).read_text()


def state(store: Store) -> str:
    """What a plan would do about the trial."""
    return History(*store.contents()).plan(MADE).state


def must_run_again(store: Store, what: object = "") -> None:
    """Plan and report agree, and once it is set aside nothing of it is left in the way."""
    path = store.path(MADE.id)
    assert state(store) == REFUSED, what
    assert store.result(MADE).status == "missing", what
    assert not len(store.frames([MADE]).records), what
    (aside,) = store.set_aside()
    assert not os.path.lexists(path)
    assert os.path.lexists(aside)
    assert aside.parent == path.parent
    assert aside.name.startswith(f"{MADE.id}.")
    assert state(store) == NEW
    store.write(MADE, OK)
    assert state(store) == FINISHED
    assert store.set_aside() == ()


def test_what_was_written_is_believed(store: Store) -> None:
    assert state(store) == FINISHED
    assert store.result(MADE) == OK
    found = store.find(MADE.id)
    assert found is not None
    assert [failure.error for failure in found.failures] == [FAILED.error]


def test_no_hostile_text_is_believed(store: Store, text: str) -> None:
    for name, wrong in texts(text):
        store.path(MADE.id).write_text(wrong)
        must_run_again(store, name)


@pytest.mark.parametrize("name", THINGS)
def test_what_is_no_file_is_not_believed_and_hangs_nothing(store: Store, name: str) -> None:
    store.path(MADE.id).unlink()
    THINGS[name](store.path(MADE.id))
    must_run_again(store, name)


def test_no_damaged_file_is_believed(store: Store, text: str) -> None:
    path, tried = store.path(MADE.id), 0
    for data in damaged(text, seed=0, count=500):
        path.write_bytes(data)
        found = store.contents()
        assert (found.stored, len(found.refused)) == ((), 1), data
        assert store.result(MADE).status == "missing"
        tried += 1
    assert tried > 450


def test_no_field_of_another_type_takes_a_folder_down(store: Store, text: str) -> None:
    """A seal says who wrote a file, not that it is right: the same content, a field of it changed, with a seal."""
    path, refused, tried = store.path(MADE.id), 0, 0
    for wrong in mistyped(text, seed=0, count=4):
        path.write_text(wrong)
        found = store.contents()
        assert len(found.stored) + len(found.refused) == 1
        assert store.result(MADE).status in ("ok", "failed", "missing")
        refused += len(found.refused)
        tried += 1
    assert tried > 300
    assert refused > 0.7 * tried  # the others are values that the field might have


def test_every_number_of_a_result_has_a_limit(store: Store, text: str) -> None:
    content = open_(text)
    numbers = [path for path in places(content["result"]) if path[-1] in ("attempt", "seconds", "step", "version")]
    assert len(numbers) >= 3 + len(RECORDS)
    for path in numbers:
        store.path(MADE.id).write_text(sealed(changed(content, ("result", *path), HUGE)))
        assert store.result(MADE).status == "missing", path


def test_another_trials_content_is_not_this_ones(store: Store, text: str) -> None:
    other = altered(MADE, seed=9)
    store.path(MADE.id).rename(store.path(other.id))
    assert (state(store), store.result(MADE).status) == (NEW, "missing")
    assert History(*store.contents()).plan(other).state == REFUSED
    assert store.result(other).status == "missing"
    (aside,) = store.set_aside()
    assert aside.name == f"{other.id}.another-trial"
    assert aside.read_text() == text


def test_nothing_that_is_set_aside_is_overwritten(store: Store) -> None:
    for number in range(3):
        store.path(MADE.id).write_text(f"wrong {number}")
        store.set_aside()
        store.write(MADE, OK)
    kept = {path.name: path.read_text() for path in store.path(MADE.id).parent.iterdir() if path.suffix != ".json"}
    assert kept == {
        f"{MADE.id}.no-json": "wrong 0",
        f"{MADE.id}.no-json-2": "wrong 1",
        f"{MADE.id}.no-json-3": "wrong 2",
    }


def test_a_result_of_other_code_is_stale_for_plan_and_report(store: Store) -> None:
    edited = replace(MADE, sources="f" * 16)
    assert edited.id == MADE.id
    assert History(*store.contents()).plan(edited).state == STALE
    assert store.result(edited).status == "missing"
    accepted = History(*store.contents()).accepting(edited)
    assert store.result(accepted).ok


def test_an_earlier_version_is_read_and_stale(store: Store, text: str) -> None:
    content = changed(open_(text), ("result", "version"), 2)
    content["failures"][0]["version"] = 2
    del content["version"]
    store.path(MADE.id).write_text(json.dumps(content))
    found = store.find(MADE.id)
    assert isinstance(found, Stored)
    assert (found.result, found.trial.sources) == (replace(OK, version=VERSION), "")
    assert state(store) == STALE


def test_manifests_are_kept_and_believed_only_as_they_were(store: Store) -> None:
    manifest = {"mine.py": "0" * 64, "lib": "1.0"}
    store.keep_sources([manifest])
    (path,) = (store.folder / "sources").iterdir()
    assert store.manifest(path.stem) == manifest
    path.write_text(path.read_text().replace("1.0", "2.0"))
    assert store.manifest(path.stem) == {}
    store.keep_sources([manifest])
    assert store.manifest(path.stem) == manifest


@pytest.mark.parametrize("name", THINGS)
def test_an_index_that_is_no_file_is_told_and_set_aside(store: Store, name: str) -> None:
    THINGS[name](store.folder / "index.json")
    with pytest.raises(MtlbenchError, match=r"index\.json \(.*mtlbench run` writes it again"):
        store.read()
    (aside,) = store.set_aside()
    assert aside.name.startswith("index.")
    store.write_index([MADE], {"suite": "s"})
    assert store.index()[0] == (MADE,)


def test_no_hostile_index_is_believed(store: Store) -> None:
    store.write_index([MADE], {"suite": "s"})
    path = store.folder / "index.json"
    text = path.read_text()
    content = open_(text)
    wrong = [sealed(changed(content, path, HUGE)) for path in (("version",), ("trials",), ("suite",))]
    wrong += ["", "[" * 100_000, "null", json.dumps(content), text.replace('"s"', '"t"'), text[:-9]]
    for data in [*(one.encode() for one in wrong), *damaged(text, seed=1, count=100)]:
        path.write_bytes(data)
        with pytest.raises(MtlbenchError, match="results folder written by"):
            store.index()
