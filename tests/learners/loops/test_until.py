"""What ends training: a number of epochs, a number of steps, or a plateau; for every learner that trains by epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.convergence import Ending, ending
from mtlbench.core.errors import MtlbenchError
from mtlbench.core.record import Record
from mtlbench.core.settings import Train
from mtlbench.core.task import Data
from mtlbench.engine import TABLE as ENGINES
from mtlbench.learners import TABLE
from mtlbench.learners.base import Job, Learner
from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests.toy_data import FORMS, NAMES, in_memory, make

BY_EPOCHS = [name for name in TABLE if issubclass(kind := TABLE.load(name), Learner) and kind.uses("train")]


def run(
    name: str, form: str = "shared", data: Data | None = None, tasks: tuple[str, ...] = (), **train: Any
) -> tuple[list[Record], Train]:
    settings = Train(batch_size=16, **train)
    learner = TABLE.build({"name": name, **TABLE.load(name).example()})
    assert isinstance(learner, Learner)
    job = Job(
        data=data or make(form),
        tasks=tasks or learner.stages(NAMES)[-1],
        architecture=ARCHITECTURES.build({"name": "shared", "hidden": [8]}),
        weighting=WEIGHTINGS.build({"name": "equal"}),
        engine=ENGINES.build({"name": "eager"}),
        optimizer=OPTIMIZERS.build({"name": "adam", "lr": 0.03}),
        schedule=SCHEDULES.build({"name": "constant"}),
        train=settings,
        seed=0,
        device=torch.device("cpu"),
    )
    return learner.run(job), settings


def ended(name: str, **train: Any) -> Ending:
    records, settings = run(name, **train)
    found = ending(settings.model_dump(mode="json"), records)
    assert found is not None
    return found


def total(records: list[Record], metric: str) -> float:
    return next(record.value for record in records if record.metric == metric and not record.split)


def scores(records: list[Record]) -> list[float]:
    """The validation score of every epoch, from 0 on, by the definition in ``core.score``."""
    losses = {(r.step, r.task): r.value for r in records if (r.split, r.metric) == ("validation", "loss")}
    tasks = sorted({task for _, task in losses})
    epochs = max(step for step, _ in losses)
    return [sum(losses[e, t] / losses[0, t] for t in tasks) / len(tasks) for e in range(epochs + 1)]


def test_several_learners_train_by_epochs() -> None:
    assert {"gradient", "affinity", "transfer"} <= set(BY_EPOCHS)


@pytest.mark.parametrize("name", BY_EPOCHS)
def test_too_low_a_cap_is_counted_and_a_plateau_lifts_it(name: str) -> None:
    assert ended(name, epochs=3).undertrained is True
    assert ended(name, until="plateau", epochs=3).undertrained is True
    assert ended(name, steps=9).undertrained is True
    free = ended(name, until="plateau", patience=5, patience_steps=0, min_delta=0.01)
    assert free.undertrained is False
    assert free.kept > 3


@pytest.mark.parametrize("name", BY_EPOCHS)
def test_training_ends_where_the_score_has_not_improved_for_patience_epochs(name: str) -> None:
    records, _ = run(name, until="plateau", patience=4, patience_steps=0, min_delta=0.02)
    best, last = float("inf"), 0
    for epoch, score in enumerate(scores(records)[1:], start=1):
        if score < 0.98 * best:
            best, last = score, epoch
    assert total(records, "epochs") == last + 4
    assert {record.step for record in records if record.split == "test"} == {last}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("steps", [1, 4, 11])
def test_a_budget_of_steps_is_met_exactly_in_the_middle_of_an_epoch_too(steps: int, form: str) -> None:
    records, _ = run("gradient", form, steps=steps)
    assert total(records, "steps") == steps
    each = run("gradient", form, epochs=1)[0]
    assert total(records, "epochs") == -(-steps // int(total(each, "steps")))


def test_a_budget_of_steps_gives_tasks_of_any_size_the_same_number_of_updates() -> None:
    alone = {task: run("gradient", "sets", tasks=(task,), steps=9)[0] for task in NAMES}
    assert {total(records, "steps") for records in alone.values()} == {9}
    assert len({total(records, "epochs") for records in alone.values()}) == len(NAMES)  # by their sizes


def test_steps_and_epochs_are_both_caps() -> None:
    records, _ = run("gradient", epochs=2, steps=1000)
    assert (total(records, "epochs"), total(records, "steps")) == (2, 8)
    records, _ = run("gradient", epochs=1000, steps=6)
    assert (total(records, "epochs"), total(records, "steps")) == (2, 6)


def test_as_many_steps_as_epochs_have_are_the_same_training() -> None:
    by_epochs, by_steps = run("gradient", epochs=3)[0], run("gradient", steps=12)[0]
    timed = ("seconds", "per_second")
    same = [[r for r in found if not r.metric.endswith(timed)] for found in (by_epochs, by_steps)]
    assert same[0] == same[1]


@pytest.mark.parametrize("name", BY_EPOCHS)
def test_a_plateau_without_a_validation_split_is_refused(name: str) -> None:
    whole = make("shared")
    seen = in_memory(whole.validation)
    nothing = replace(seen, masks={task: np.zeros(seen.size, dtype=bool) for task in NAMES})
    with pytest.raises(MtlbenchError, match=r"until: plateau .* got none: give the problem a validation split"):
        run(name, data=Data(whole.outline, whole.train, nothing, whole.test), until="plateau")


def test_pre_training_that_was_cut_short_is_told() -> None:
    short, _ = run("transfer", epochs=2)
    assert total(short, "pretrain_undertrained") == 1
    long, _ = run("transfer", until="plateau", patience=5, patience_steps=0, min_delta=0.01)
    assert total(long, "pretrain_undertrained") == 0
    assert total(long, "pretrain_steps") == 4 * total(long, "pretrain_epochs")
