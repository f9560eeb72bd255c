"""Columns are what the files say, and are believed over no file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mtlbench.core.record import Record, Result
from mtlbench.core.score import Tried, candidate_scores
from mtlbench.core.trial import KernelTrial, Trial
from mtlbench.store import Store, columns, contents
from mtlbench.store.facts import Kinds
from mtlbench.store.sealed import sealed
from mtlbench.store.templates import Templates, packed, template_of, unpacked
from mtlbench.store.trial_files import read_trial

from .hostile import open_
from .test_folder import FAILED, TRIAL

TRIALS = [replace(TRIAL, seed=seed, sources="0123456789abcdef") for seed in range(5)]


def result(seed: int) -> Result:
    """Facts of every kind, other numbers for every seed."""
    records = [
        Record("loss", value, split, task, step=step, higher_is_better=False, main=split == "test")
        for task in ("digit", "parity")
        for step, value in enumerate((1.0, 0.5 + seed, float("nan"), 1e300))
        for split in ("train", "validation", "test")[: 3 if step == 2 else 2]
    ]
    pairs = (Record("cosine", -0.1, "train", "digit", other="parity"), Record("epochs", 3, unit="é"))
    return Result("ok", 2, (*records, *pairs), seconds=seed / 3, notes=("n",), environment={"cores": seed % 2})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Finished trials, one of which failed before, and one that failed; nothing of them in columns yet."""
    store = Store(tmp_path)
    store.write(TRIALS[0], FAILED)
    for trial in TRIALS[:4]:
        store.write(trial, result(trial.seed))
    store.write(TRIALS[4], FAILED)
    return store


def parts(store: Store) -> list[Path]:
    return sorted((store.folder / "columns").glob("*"))


def frames(store: Store) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = store.frames(TRIALS)
    return found.records, found.trials


def same(store: Store, before: tuple[pd.DataFrame, pd.DataFrame]) -> bool:
    """Whether the frames are as they were, and as they are without columns."""
    with_columns = frames(store)
    shutil.rmtree(store.folder / "columns")
    for one, other, past in zip(with_columns, frames(store), before, strict=True):
        pd.testing.assert_frame_equal(one, other)
        pd.testing.assert_frame_equal(one, past)
    return True


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are parsed from now on."""
    names: list[str] = []

    def counting(path: Path, with_records: bool = True) -> object:
        names.append(path.stem)
        return read_trial(path, with_records)

    monkeypatch.setattr(contents, "read_trial", counting)
    return names


def test_with_and_without_columns_the_same_is_said(store: Store) -> None:
    before = frames(store)
    assert parts(store)
    assert same(store, before)
    store.keep_columns()
    with_columns = store.contents()
    shutil.rmtree(store.folder / "columns")
    assert store.contents() == with_columns
    assert [len(one.failures) for one in with_columns.stored].count(1) == 1


def test_no_file_is_parsed_twice(store: Store, parsed: list[str]) -> None:
    frames(store)
    assert sorted(parsed) == sorted(trial.id for trial in TRIALS)
    del parsed[:]
    frames(store)
    store.contents()
    assert not parsed
    store.write(TRIALS[2], result(7))
    frames(store)
    assert parsed == [TRIALS[2].id]


def test_a_run_keeps_columns_of_what_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlbench.store.folder.AT_ONCE", 2)
    store = Store(tmp_path)
    for count, trial in enumerate(TRIALS, 1):
        store.write(trial, result(trial.seed))
        assert len(parts(store)) == count // 2
    store.keep_columns()
    assert len(parts(store)) == 3


def edited(store: Store) -> None:
    """A value changed, and the seal with it, at the same time: a file that is believed, and says something else."""
    path = store.path(TRIALS[1].id)
    content = open_(path.read_text())
    content["result"]["records"][0]["value"] = 42.0
    times = path.stat()
    path.write_text(sealed(content))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def cut(store: Store) -> None:
    path = store.path(TRIALS[1].id)
    path.write_bytes(path.read_bytes()[:-9])


def one_byte(store: Store) -> None:
    path = store.path(TRIALS[1].id)
    path.write_text(path.read_text().replace("1.5", "1.6", 1))


def removed(store: Store) -> None:
    store.path(TRIALS[1].id).unlink()


def anothers(store: Store) -> None:
    shutil.copy(store.path(TRIALS[0].id), store.path(TRIALS[1].id))


@pytest.mark.parametrize("change", [edited, cut, one_byte, removed, anothers])
def test_columns_are_not_believed_over_a_file(store: Store, change: Callable[[Store], None]) -> None:
    before = frames(store)
    change(store)
    after = frames(store)
    shutil.rmtree(store.folder / "columns")
    for one, other in zip(after, frames(store), strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert not after[0].equals(before[0])


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.99])
def test_damaged_columns_say_nothing(store: Store, place: float) -> None:
    before = frames(store)
    (path,) = parts(store)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    assert same(store, before)


def test_columns_of_other_code_say_nothing_and_are_replaced(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(columns, "_reader", lambda: "other code")
        before = frames(store)
        (old,) = parts(store)
    assert [*map(len, frames(store))] == [*map(len, before)]
    assert old not in parts(store)
    assert same(store, before)


def test_a_folder_in_the_place_of_columns_is_no_trouble(store: Store) -> None:
    before = frames(store)
    (store.folder / "columns" / "x.parquet").mkdir()
    (store.folder / "columns" / "y.parquet").write_text("no parquet")
    assert same(store, before)


KERNEL = KernelTrial(seed=3, kernel={"case": {"name": "c"}, "seed": 3})
NESTED = replace(TRIAL, problem={"name": "p", "seed": 2**61 - 1}, seed=2**61 - 1)


@pytest.mark.parametrize("trial", [TRIAL, KERNEL, NESTED, replace(TRIAL, data="d", fold=(1, 3))])
def test_a_template_and_a_seed_are_the_trial(trial: Trial) -> None:
    text, seed = template_of(trial)
    templates = Templates()
    for number in (seed, 0, 12345):
        made, expected = templates.trial(text, number), replace(trial, seed=number)
        assert (made.id, made.to_json()) == (expected.id, expected.to_json())
    made, *_ = unpacked(json.loads(json.dumps(packed([trial, TRIAL]))))
    assert (made.id, made.to_json()) == (trial.id, trial.to_json())


def test_what_templates_keep_does_not_grow_with_seeds() -> None:
    few, many = (packed(replace(TRIAL, seed=seed) for seed in range(count)) for count in (2, 50))
    assert few["templates"] == many["templates"]
    first, *others = unpacked(many)
    assert all(vars(other)["parts"] is vars(first)["parts"] for other in others)


@pytest.mark.parametrize("finished", [True, False])
def test_scores_are_those_of_all_records(finished: bool) -> None:
    kinds = Kinds()
    records = result(1).records if finished else ()
    few = kinds.scoring(kinds.facts(records))
    assert candidate_scores([Tried("a", "", few)]) == candidate_scores([Tried("a", "", records)])
    assert bool(few) == finished
