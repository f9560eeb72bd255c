"""Gradient training: what it records along the way, and what it does when things go wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.errors import Diverged, MtlbenchError
from mtlbench.core.record import Record
from mtlbench.core.settings import EarlyStopping, Heads, Train
from mtlbench.core.task import Data, Split
from mtlbench.engine import TABLE as ENGINES
from mtlbench.engine.model import Model
from mtlbench.learners.base import Job
from mtlbench.learners.gradient import Gradient
from mtlbench.learners.loops.early_stopping import BestEpoch
from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.penalties import TABLE as PENALTIES
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests.learners.relation_data import alike
from tests.toy_data import FORMS, NAMES, POSITIONED, TASKS, in_memory, make, shared_inputs, tasks_of


def train(form: str = "shared", **changes: Any) -> list[Record]:
    usual = Job(
        data=make(form),
        tasks=NAMES,
        architecture=ARCHITECTURES.build({"name": "shared", "hidden": [16]}),
        weighting=WEIGHTINGS.build({"name": "equal"}),
        engine=ENGINES.build({"name": "eager"}),
        optimizer=OPTIMIZERS.build({"name": "adam", "lr": 0.01}),
        schedule=SCHEDULES.build({"name": "constant"}),
        train=Train(epochs=6, batch_size=16),
        seed=0,
        device=torch.device("cpu"),
    )
    return Gradient().run(replace(usual, **changes))


def values(records: list[Record], split: str, task: str, metric: str) -> dict[int, float]:
    return {r.step: r.value for r in records if (r.split, r.task, r.metric) == (split, task, metric)}


@pytest.mark.parametrize("form", FORMS)
def test_it_learns(form: str) -> None:
    found = train(form, train=Train(epochs=20, batch_size=16))
    for name in NAMES:
        losses = values(found, "train", name, "loss")
        assert losses[20] < 0.9 * losses[1]
        assert list(values(found, "validation", name, "loss")) == list(range(21))


@pytest.mark.parametrize("form", POSITIONED)
def test_it_learns_labels_at_positions(form: str) -> None:
    trunk = {"trunk": "cnn", "pooling": 1} if form == "pixels" else {"trunk": "gru"}
    architecture = ARCHITECTURES.build({"name": "shared", "hidden": [16], **trunk})
    found = train(form, architecture=architecture, train=Train(epochs=15, batch_size=8))
    for task in tasks_of(form):
        losses = values(found, "train", task.name, "loss")
        assert losses[15] < 0.9 * losses[1]
        test = {record.metric for record in found if (record.split, record.task) == ("test", task.name)}
        assert test == {"loss", *task.metrics}


def test_records_of_an_epoch() -> None:
    found = train()
    for task in TASKS:
        assert list(values(found, "train", task.name, "loss")) == [1, 2, 3, 4, 5, 6]
        assert values(found, "train", task.name, "weight") == dict.fromkeys(range(1, 7), pytest.approx(1 / 3))
        assert list(values(found, "validation", task.name, task.main_metric)) == [0, 1, 2, 3, 4, 5, 6]
        assert list(values(found, "test", task.name, "loss")) == [6]
    seconds = values(found, "train", "", "epoch_seconds")
    assert list(seconds) == [1, 2, 3, 4, 5, 6]
    (total,) = values(found, "", "", "train_seconds").values()
    assert total == pytest.approx(sum(seconds.values()))
    timed = sorted(list(seconds.values())[1:])  # warm-up is one epoch
    assert values(found, "train", "", "samples_per_second")[0] == pytest.approx(60 / timed[2])
    assert values(found, "train", "", "step_seconds")[0] == pytest.approx(timed[2] / 4)
    counts = {name: values(found, "", "", name)[0] for name in ("parameters", "epochs", "steps")}
    assert counts == {"parameters": 6 * 16 + 16 + (3 + 1 + 2) * 17, "epochs": 6, "steps": 24}


def test_a_learned_covariance_is_recorded_once_of_the_best_weights() -> None:
    penalty = PENALTIES.build({"name": "task_covariance"})
    data = alike(tasks=3)
    stopping = Train(epochs=8, batch_size=16, early_stopping=EarlyStopping(patience=8))
    job = {"data": replace(data, validation=data.test), "tasks": data.outline.names, "penalty": penalty}
    best = BestEpoch.restore
    kept: list[Model] = []

    def restore(self: BestEpoch) -> int:
        kept.append(self.model)
        return best(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BestEpoch, "restore", restore)
        found = [record for record in train(**job, train=stopping) if record.metric == "correlation"]
    covariance = penalty.covariance(kept[0].trunk_and_heads()[1]).numpy()
    deviation = np.sqrt(np.diag(covariance))
    expected = (covariance / np.outer(deviation, deviation))[np.triu_indices(3, 1)]
    assert [(r.task, r.other, r.step) for r in found] == [("t0", "t1", 0), ("t0", "t2", 0), ("t1", "t2", 0)]
    assert {r.split for r in found} == {"train"}
    np.testing.assert_allclose([r.value for r in found], expected, atol=1e-4)
    assert not [r for r in train() if r.metric == "correlation"]
    assert not [r for r in train(**{**job, "tasks": ("t1",)}) if r.metric == "correlation"]


def test_the_training_loss_is_the_mean_over_labelled_rows() -> None:
    data = make("masked")
    still = OPTIMIZERS.build({"name": "sgd", "lr": 1e-30})  # the weights stay, so every epoch has the same loss
    found = train(data=replace(data, validation=data.train), optimizer=still, train=Train(epochs=1, batch_size=7))
    for name in NAMES:
        expected = values(found, "validation", name, "loss")[1]
        assert values(found, "train", name, "loss")[1] == pytest.approx(expected, rel=1e-5)


def test_early_stopping_tests_the_best_epoch() -> None:
    data = make("shared")
    noise = np.random.default_rng(0).standard_normal((30, 2)).astype("float32")
    validation = in_memory(data.validation).targets
    targets = {"kind": validation["kind"][::-1].copy(), "sign": 1 - validation["sign"]}
    against = Split(shared_inputs(data.validation), {**targets, "sum.total": noise})  # learning makes this worse
    setting = Train(epochs=30, batch_size=16, early_stopping=EarlyStopping(patience=3))
    found = train(data=replace(data, validation=against), train=setting)
    scores = [
        sum(values(found, "validation", name, "loss")[epoch] / values(found, "validation", name, "loss")[0]
            for name in NAMES)
        for epoch in range(1, int(values(found, "", "", "epochs")[0]) + 1)
    ]  # fmt: skip
    best = 1 + scores.index(min(scores))
    assert len(scores) == best + 3 < 30
    assert list(values(found, "test", "kind", "loss")) == [best]
    short = train(data=replace(data, validation=against), train=Train(epochs=best, batch_size=16))
    assert [r for r in short if r.split == "test"] == [r for r in found if r.split == "test"]


def test_a_single_task_is_the_multi_task_network_without_the_others() -> None:
    shared, single = (
        train(tasks=("kind",), architecture=ARCHITECTURES.build({"name": name, "hidden": [16]}))
        for name in ("shared", "single")
    )
    assert [r for r in shared if r.split == "test"] == [r for r in single if r.split == "test"]
    together = train(architecture=ARCHITECTURES.build({"name": "single", "hidden": [16]}))
    alone = values(single, "validation", "kind", "loss")
    assert values(together, "validation", "kind", "loss")[0] == pytest.approx(alone[0])


@pytest.mark.parametrize("form", ["shared", "masked", "sets"])
def test_separate_networks_learn_what_single_task_runs_learn(form: str) -> None:
    one_step: dict[str, Any] = {
        "train": Train(epochs=1, batch_size=1000),
        "architecture": ARCHITECTURES.build({"name": "single", "hidden": [8]}),
        "optimizer": OPTIMIZERS.build({"name": "sgd", "lr": 0.1}),
        "weighting": WEIGHTINGS.build({"name": "imtl_l"}),  # 1 per task in its first step, like equal on one task
        "heads": Heads.from_plain({"rule": "weighted"}),
    }
    together = train(form, **one_step)
    for name in NAMES:
        alone = train(form, tasks=(name,), **one_step)
        expected = values(alone, "validation", name, "loss")
        assert values(together, "validation", name, "loss") == pytest.approx(expected, rel=1e-5)


def test_the_schedule_sets_the_rate_of_every_epoch() -> None:
    sgd = OPTIMIZERS.build({"name": "sgd", "lr": 0.05})
    stopped = SCHEDULES.build({"name": "step", "every": 2, "gamma": 1e-30})
    losses = values(train(optimizer=sgd, schedule=stopped), "validation", "kind", "loss")
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] == losses[3] == losses[6]


@pytest.mark.parametrize("engine", ["eager", "foreach", "torch_fused"])
def test_divergence_names_task_epoch_and_remedy(engine: str) -> None:
    wild = OPTIMIZERS.build({"name": "sgd", "lr": 1e12})
    with pytest.raises(
        Diverged, match=r"task '.*': expected a finite .* loss, got (nan|inf|none) in epoch 1.*; lower"
    ) as error:
        train(optimizer=wild, engine=ENGINES.build({"name": engine}))
    assert "now 1e+12" in str(error.value)


def test_no_labelled_row_to_train_on() -> None:
    data = make("shared")
    nothing = {name: np.zeros(60, dtype=bool) for name in NAMES}
    hidden = replace(in_memory(data.train), masks=nothing)
    with pytest.raises(MtlbenchError, match="expected labelled training rows, got none"):
        train(data=Data(data.outline, hidden, data.validation, data.test))


def test_a_run_that_is_all_warm_up_has_no_throughput() -> None:
    found = train(train=Train(epochs=2, batch_size=16, warmup_epochs=5))
    assert not values(found, "train", "", "samples_per_second")
    assert not values(found, "train", "", "step_seconds")
