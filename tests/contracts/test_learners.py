"""Every row of the table of learners: the records it owes, purity, and one look at the test split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from math import isfinite
from typing import Any

import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.errors import TimedOut
from mtlbench.core.parts import optional
from mtlbench.core.record import Record
from mtlbench.core.settings import EarlyStopping, Train
from mtlbench.core.task import Data, Split, Stream
from mtlbench.engine import TABLE as ENGINES
from mtlbench.learners import TABLE
from mtlbench.learners.base import Job, Learner
from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests.toy_data import FORMS, NAMES, TASKS, make, stream

TIMES = {"epoch_seconds", "samples_per_second", "step_seconds", "train_seconds", "pretrain_seconds"}


def job(form: str = "shared", **changes: Any) -> Job:
    settings = Train(epochs=4, batch_size=16, early_stopping=EarlyStopping(patience=2))
    usual = Job(
        data=make(form),
        tasks=NAMES,
        architecture=ARCHITECTURES.build({"name": "shared", "hidden": [8], "dropout": 0.1}),
        weighting=WEIGHTINGS.build({"name": "random"}),
        engine=ENGINES.build({"name": "eager"}),
        optimizer=OPTIMIZERS.build({"name": "adam", "lr": 0.01}),
        schedule=SCHEDULES.build({"name": "cosine"}),
        train=settings,
        seed=0,
        device=torch.device("cpu"),
    )
    return replace(usual, **changes)


def judged(name: str, **changes: Any) -> tuple[Learner, Job, tuple[str, ...]]:
    """A learner of the table, a job as a suite makes it of the toy problem's tasks, and the tasks that it is for."""
    learner = TABLE.build({"name": name, **TABLE.load(name).example()})
    assert isinstance(learner, Learner)
    assert not list(learner.check(make().outline))
    tasks = learner.stages(NAMES)[-1]
    return learner, job(tasks=tasks, **changes), tasks


def untimed(records: list[Record]) -> list[Record]:
    return [record for record in records if record.metric not in TIMES]


@cache
def first_run(name: str, form: str) -> list[Record]:
    """The records of a learner's job on a form of the toy problem, run once for all tests."""
    learner, given, _ = judged(name, form=form)
    return learner.run(given)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TABLE)
def test_records_are_those_of_the_vocabulary(name: str, form: str) -> None:
    _, _, tasks = judged(name, form=form)
    found = first_run(name, form)
    keys = Counter((record.split, record.task, record.other, record.metric, record.step) for record in found)
    assert set(keys.values()) == {1}
    assert all(isfinite(record.value) for record in found)
    test = {(record.task, record.metric) for record in found if record.split == "test"}
    assert test == {(task.name, metric) for task in TASKS if task.name in tasks for metric in ("loss", *task.metrics)}
    assert {r.task for r in found if r.split == "test" and r.main} == set(tasks)
    assert {record.task for record in found} == {"", *tasks}
    assert all(record.higher_is_better is not None for record in found if record.main)
    whole = {record.metric for record in found if (record.split, record.task) == ("", "")}
    assert {"train_seconds", "parameters"} <= whole


@pytest.mark.parametrize("name", TABLE)
def test_what_a_learner_does_not_use_may_be_missing(name: str) -> None:
    learner, given, _ = judged(name)
    unused: dict[str, Any] = {
        "engine" if key == "engines" else key: None for key in optional() if not learner.uses(key)
    }
    assert untimed(learner.run(replace(given, **unused))) == untimed(first_run(name, "shared"))


@pytest.mark.parametrize("form", ["masked", "stream"])
@pytest.mark.parametrize("name", TABLE)
def test_the_same_job_twice_gives_the_same_bits(name: str, form: str) -> None:
    first = first_run(name, form)
    learner, given, _ = judged(name, form=form)
    torch.rand(7)  # whatever happened before
    state = torch.get_rng_state()
    again = learner.run(given)
    assert untimed(first) == untimed(again)
    assert torch.equal(torch.get_rng_state(), state)
    other = learner.run(replace(given, seed=1))
    assert (untimed(first) != untimed(other)) is learner.random


@pytest.mark.parametrize("name", TABLE)
def test_the_test_split_is_read_once_after_all_else(name: str) -> None:
    data = make("shared")
    log: list[str] = []

    def logged(split: Split, part: str) -> Stream:
        inner = stream(split)

        def batches(size: int, seed: int | None) -> Iterator[Split]:
            log.append(part)
            return inner.batches(size, seed)

        return Stream(split.size, batches)

    parts = [logged(getattr(data, part), part) for part in ("train", "validation", "test")]
    learner, given, _ = judged(name)
    learner.run(replace(given, data=Data(data.outline, *parts)))
    assert log.count("test") == 1
    assert log[-1] == "test"


@pytest.mark.parametrize("name", TABLE)
def test_a_past_deadline_is_said(name: str) -> None:
    learner, given, _ = judged(name, deadline=0.0)
    with pytest.raises(TimedOut, match=r"raise resources\.timeout"):
        learner.run(given)
