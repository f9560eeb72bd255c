"""What a training says of half its patience is, bit for bit, what training with half of it gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.record import HALF_PATIENCE, Record
from mtlbench.core.settings import EarlyStopping, Train
from mtlbench.engine import TABLE as ENGINES
from mtlbench.learners import TABLE
from mtlbench.learners.base import Job, Learner
from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests.toy_data import NAMES, make

Specs = dict[str, dict[str, Any]]
RATES = (0.1, 0.03, 0.3, 1.0)
TIMED = ("seconds", "per_second")
RESTLESS: dict[str, Any] = {
    "until": "plateau",
    "min_delta": 0.0,
    "epochs": 60,
}  # a score that rises once and falls again is frequent
RULES = [  # with all of the patience, and with half; an epoch has 4 steps
    (Train(**RESTLESS, patience=2, patience_steps=0), Train(**RESTLESS, patience=1, patience_steps=0)),
    (Train(**RESTLESS, patience=5, patience_steps=41), Train(**RESTLESS, patience=3, patience_steps=21)),
    (Train(**RESTLESS, patience=1, patience_steps=9), Train(**RESTLESS, patience=1, patience_steps=5)),
    (
        Train(epochs=60, early_stopping=EarlyStopping(patience=3)),
        Train(epochs=60, early_stopping=EarlyStopping(patience=2)),
    ),
]
METHODS: list[Specs] = [
    {},
    {"engine": {"name": "fused"}},
    {"architecture": {"name": "soft", "trunk": "mlp", "hidden": [8]}, "optimizer": {"name": "rmsprop"}},
    {"weighting": {"name": "dwa"}, "architecture": {"name": "mmoe"}},
    {"weighting": {"name": "uncertainty"}, "engine": {"name": "foreach"}},
    {"architecture": {"name": "shared", "trunk": "resnet", "channels": [4]}},  # with BatchNorm
    {"weighting": {"name": "famo"}, "schedule": {"name": "cosine"}},
]


def run(
    train: Train, specs: Specs, form: str = "shared", lr: float = RATES[0], learner: str = "gradient"
) -> list[Record]:
    built = TABLE.build({"name": learner, **TABLE.load(learner).example()})
    assert isinstance(built, Learner)

    def part(table: Any, key: str, **usual: Any) -> Any:
        return table.build(specs.get(key, usual) | ({"lr": lr} if key == "optimizer" else {}))

    job = Job(
        data=make(form),
        tasks=built.stages(NAMES)[-1],
        architecture=part(ARCHITECTURES, "architecture", name="shared", hidden=[8]),
        weighting=part(WEIGHTINGS, "weighting", name="equal"),
        engine=part(ENGINES, "engine", name="eager"),
        optimizer=part(OPTIMIZERS, "optimizer", name="adam"),
        schedule=part(SCHEDULES, "schedule", name="constant"),
        train=train.model_copy(update={"batch_size": 16}),
        seed=0,
        device=torch.device("cpu"),
    )
    return built.run(job)


def halves(records: list[Record]) -> list[Record]:
    """What is said of half the patience, but for times, as it would be said of a training."""
    told = [record for record in records if record.split == HALF_PATIENCE and not record.metric.endswith(TIMED)]
    return [replace(record, split="test" if record.task else "") for record in told]


def results(records: list[Record]) -> list[Record]:
    return [r for r in records if r.split == "test" or (r.split == "" and r.metric in ("epochs", "steps"))]


def total(records: list[Record], metric: str, split: str = "") -> float:
    return next(record.value for record in records if (record.metric, record.split) == (metric, split))


def check(train: Train, shorter: Train, specs: Specs, form: str = "shared", lr: float = RATES[0]) -> bool:
    """Compare the two; whether they kept other weights."""
    long, short = run(train, specs, form, lr), run(shorter, specs, form, lr)
    assert halves(long) == results(short)
    assert total(long, "epochs") > total(short, "epochs")
    seconds = [r.value for r in long if r.metric == "epoch_seconds"]
    assert total(long, "train_seconds", HALF_PATIENCE) == sum(seconds[: int(total(short, "epochs"))])
    return results(long)[0].step != results(short)[0].step


@pytest.mark.parametrize("specs", METHODS, ids=lambda specs: "-".join(v["name"] for v in specs.values()) or "plain")
def test_every_method_says_what_half_the_patience_gives(specs: Specs) -> None:
    form = "images" if specs.get("architecture", {}).get("trunk") == "resnet" else "shared"
    assert any(check(*RULES[0], specs, form, lr) for lr in RATES), "expected a case in which other weights are kept"


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_halved(rule: tuple[Train, Train]) -> None:
    check(*rule, {})


@pytest.mark.parametrize("specs", [{}, {"engine": {"name": "fused"}}])
def test_where_a_cap_ends_a_training_first_half_the_patience_gives_the_same(specs: Specs) -> None:
    capped = run(RULES[1][0].model_copy(update={"epochs": 2}), specs)
    assert halves(capped) == results(capped)


def test_nothing_is_said_where_there_is_no_patience_to_be_halved() -> None:
    nothing = (Train(epochs=3), Train(until="plateau", patience=1, patience_steps=1, epochs=3))
    assert not [record for train in nothing for record in run(train, {}) if record.split == HALF_PATIENCE]


def test_nothing_is_said_of_fine_tuning_whose_trunk_half_the_patience_would_have_trained_otherwise() -> None:
    tuned = run(RULES[0][0], {}, learner="transfer")
    assert results(tuned)
    assert not [record for record in tuned if record.split == HALF_PATIENCE]
