"""Losses and metrics of a split against the same numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mtlbench.architectures.single import Single
from mtlbench.core.metrics import METRICS
from mtlbench.core.record import Record
from mtlbench.core.task import Split
from mtlbench.engine.model import Model
from mtlbench.learners.evaluate import Evaluator
from tests.toy_data import FORMS, NAMES, TASKS, make, stream

CPU = torch.device("cpu")


def score(form: str, batch_size: int, main_only: bool = False) -> list[Record]:
    data = make(form)
    evaluator = Evaluator(data.test, data.outline, batch_size, CPU)
    return evaluator.records(Model(Single(), data.outline, 0), "test", 4, main_only)


def value(records: list[Record], task: str, metric: str) -> float:
    (record,) = [record for record in records if (record.task, record.metric) == (task, metric)]
    return record.value


@pytest.mark.parametrize("form", FORMS)
def test_chunks_do_not_change_what_is_found(form: str) -> None:
    whole, pieces = score(form, 1000), score(form, 7)
    assert [(r.task, r.metric, r.unit, r.main) for r in whole] == [(r.task, r.metric, r.unit, r.main) for r in pieces]
    assert [r.value for r in whole] == pytest.approx([r.value for r in pieces], rel=1e-5)


def test_values_by_hand() -> None:
    data = make("shared")
    found = score("shared", 1000)
    with torch.inference_mode():
        outputs = Model(Single(), data.outline, 0)(torch.from_numpy(data.test.inputs))
    target = {name: torch.from_numpy(array) for name, array in data.test.targets.items()}
    assert value(found, "kind", "loss") == pytest.approx(float(F.cross_entropy(outputs["kind"], target["kind"])))
    hits = (outputs["kind"].argmax(1) == target["kind"]).double().mean() * 100
    assert value(found, "kind", "accuracy") == pytest.approx(float(hits))
    signs = ((outputs["sign"] > 0) == (target["sign"] > 0)).double().mean() * 100
    assert value(found, "sign", "accuracy") == pytest.approx(float(signs))
    error = 2.0 * (outputs["sum.total"] - target["sum.total"])  # the scale; the offset cancels
    assert value(found, "sum.total", "rmse") == pytest.approx(float(error.square().mean().sqrt()), rel=1e-5)
    loss = F.mse_loss(outputs["sum.total"], target["sum.total"])
    assert value(found, "sum.total", "loss") == pytest.approx(float(loss))


def test_every_metric_with_its_direction_and_unit_and_one_that_ranks() -> None:
    found = score("shared", 1000)
    for task in TASKS:
        of_task = {record.metric: record for record in found if record.task == task.name}
        assert list(of_task) == ["loss", *task.metrics]
        assert [name for name, record in of_task.items() if record.main] == [task.main_metric]
        assert of_task["loss"].higher_is_better is False
        for name in task.metrics:
            assert of_task[name].higher_is_better is METRICS[name].higher_is_better
    units = {(record.task, record.metric): record.unit for record in found}
    assert units["kind", "accuracy"] == "%"
    assert units["sum.total", "rmse"] == "kg"
    assert units["sum.total", "r2"] == "1"
    assert {record.split for record in found} == {"test"}
    assert {record.step for record in found} == {4}


def test_the_main_metric_alone() -> None:
    assert [(r.task, r.metric) for r in score("shared", 1000, main_only=True)] == [
        (task.name, metric) for task in TASKS for metric in ("loss", task.main_metric)
    ]


def test_unknown_labels_do_not_count() -> None:
    data = make("masked")
    model = Model(Single(), data.outline, 0)
    for name in NAMES:
        rows = data.test.masks.get(name, np.ones(data.test.size, dtype=bool))
        part = Split(data.test.inputs[rows], {name: data.test.targets[name][rows]})
        outline = data.outline.only((name,))
        alone = Evaluator(part, outline, 1000, CPU).records(Model(Single(), outline, 0), "test", 0)
        together = [
            record for record in Evaluator(data.test, data.outline, 1000, CPU).records(model, "test", 0)
            if record.task == name
        ]  # fmt: skip
        assert [r.metric for r in alone] == [r.metric for r in together]
        assert [r.value for r in alone] == pytest.approx([r.value for r in together], rel=1e-5)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_task_without_a_label_in_the_split_has_no_records(streamed: bool) -> None:
    data = make("shared")
    hidden = Split(data.test.inputs, data.test.targets, {"sign": np.zeros(data.test.size, dtype=bool)})
    evaluator = Evaluator(stream(hidden) if streamed else hidden, data.outline, 7, CPU)
    found = evaluator.records(Model(Single(), data.outline, 0), "test", 0)
    assert {record.task for record in found} == {"kind", "sum.total"}


def test_an_empty_split_has_no_records() -> None:
    data = make("shared")
    nothing = Split(data.test.inputs[:0], {name: target[:0] for name, target in data.test.targets.items()})
    assert Evaluator(nothing, data.outline, 7, CPU).records(Model(Single(), data.outline, 0), "test", 0) == []


def test_dropout_is_off() -> None:
    data = make("shared")
    model = Model(Single(dropout=0.9), data.outline, 0).train()
    evaluator = Evaluator(data.test, data.outline, 1000, CPU)
    assert evaluator.records(model, "test", 0) == evaluator.records(model.train(), "test", 0)
