"""Losses and metrics of a split against the same numbers by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mtlbench.architectures.single import Single
from mtlbench.core.metrics import metric
from mtlbench.core.metrics.chunks import ChunkF1
from mtlbench.core.metrics.classification import Auc
from mtlbench.core.record import Record
from mtlbench.core.task import Split
from mtlbench.engine.model import Model
from mtlbench.learners.loops.evaluate import Evaluator
from tests.toy_data import FORMS, NAMES, POSITIONED, TASKS, in_memory, make, shared_inputs, stream, take, tasks_of

CPU = torch.device("cpu")


def score(form: str, batch_size: int, main_only: bool = False) -> list[Record]:
    data = make(form)
    evaluator = Evaluator(data.test, data.outline, batch_size, CPU)
    return evaluator.records(Model(Single(), data.outline, 0), "test", 4, main_only)


def value(records: list[Record], task: str, name: str) -> float:
    (record,) = [record for record in records if (record.task, record.metric) == (task, name)]
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
        outputs = Model(Single(), data.outline, 0)(torch.from_numpy(shared_inputs(data.test)))
    target = {name: torch.from_numpy(array) for name, array in in_memory(data.test).targets.items()}
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
            assert of_task[name].higher_is_better is metric(name).higher_is_better
    units = {(record.task, record.metric): record.unit for record in found}
    assert units["kind", "accuracy"] == "%"
    assert units["sum.total", "rmse"] == "kg"
    assert units["sum.total", "r2"] == "1"
    assert {record.split for record in found} == {"test"}
    assert {record.step for record in found} == {4}


def test_the_main_metric_alone() -> None:
    assert [(r.task, r.metric) for r in score("shared", 1000, main_only=True)] == [
        (task.name, name) for task in TASKS for name in ("loss", task.main_metric)
    ]


def test_unknown_labels_do_not_count() -> None:
    data = make("masked")
    test, inputs = in_memory(data.test), shared_inputs(data.test)
    model = Model(Single(), data.outline, 0)
    for name in NAMES:
        rows = test.masks.get(name, np.ones(test.size, dtype=bool))
        part = Split(inputs[rows], {name: test.targets[name][rows]})
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
    hidden = replace(in_memory(data.test), masks={"sign": np.zeros(data.test.size, dtype=bool)})
    evaluator = Evaluator(stream(hidden) if streamed else hidden, data.outline, 7, CPU)
    found = evaluator.records(Model(Single(), data.outline, 0), "test", 0)
    assert {record.task for record in found} == {"kind", "sum.total"}


def test_an_empty_split_has_no_records() -> None:
    data = make("shared")
    nothing = take(in_memory(data.test), np.arange(0))
    assert Evaluator(nothing, data.outline, 7, CPU).records(Model(Single(), data.outline, 0), "test", 0) == []


def test_dropout_is_off() -> None:
    data = make("shared")
    model = Model(Single.from_plain({"dropout": 0.9}), data.outline, 0).train()
    evaluator = Evaluator(data.test, data.outline, 1000, CPU)
    assert evaluator.records(model, "test", 0) == evaluator.records(model.train(), "test", 0)


class Fixed(torch.nn.Module):
    """A model whose outputs are looked up by row: inputs are row numbers."""

    def __init__(self, outputs: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, inputs: torch.Tensor | dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        rows = {name: inputs[name] if isinstance(inputs, dict) else inputs for name in NAMES}
        return {name: output[rows[name][:, 0]] for name, output in self.outputs.items()}


def positioned(form: str, streamed: bool, batch_size: int) -> tuple[Split, dict[str, torch.Tensor], list[Record]]:
    """A test split of a form of POSITIONED, random outputs for it, and what evaluation says of them."""
    data, tasks = make(form), tasks_of(form)
    outline, split = data.outline, in_memory(data.test)
    outputs: dict[str, torch.Tensor] = {}
    for task in tasks:
        shape = (len(split.targets[task.name]), task.outputs, *task.positions)
        drawn = torch.randn(shape, generator=torch.Generator().manual_seed(len(outputs)))
        outputs[task.name] = drawn[:, 0] if task.loss == "bce_with_logits" else drawn
    numbers = {name: np.arange(len(target))[:, None] for name, target in split.targets.items()}
    inputs = numbers if isinstance(split.inputs, Mapping) else numbers["kind"]
    numbered = Split(inputs, split.targets, split.masks)
    evaluator = Evaluator(stream(numbered) if streamed else numbered, outline, batch_size, CPU)
    return split, outputs, evaluator.records(Fixed(outputs), "test", 0)


@pytest.mark.parametrize("batch_size", [1000, 7])
@pytest.mark.parametrize("form", POSITIONED)
def test_labelled_positions_are_scored_in_one_line(form: str, batch_size: int) -> None:
    split, outputs, found = positioned(form, False, batch_size)
    for task in tasks_of(form):
        target, output = torch.from_numpy(split.targets[task.name]), outputs[task.name]
        dims = target.ndim - (task.loss == "mse")  # of the positions, rows included
        mask = torch.from_numpy(split.masks.get(task.name, np.ones(len(target), dtype=bool)))
        mask = mask.reshape(*mask.shape, *[1] * (dims - mask.ndim)).expand(
            target[:, 0].shape if dims < target.ndim else target.shape
        )
        if task.loss == "cross_entropy":
            x, y = output.movedim(1, -1)[mask], target[mask]
            assert value(found, task.name, "loss") == pytest.approx(float(F.cross_entropy(x, y)), rel=1e-5)
            assert value(found, task.name, "accuracy") == pytest.approx(float((x.argmax(1) == y).double().mean() * 100))
        elif task.loss == "bce_with_logits":
            x, y = output[mask], target[mask]
            assert value(found, task.name, "loss") == pytest.approx(float(F.binary_cross_entropy_with_logits(x, y)))
            assert value(found, task.name, "auc") == pytest.approx(Auc().compute(y.numpy(), x.numpy()))
        else:
            x, y = output.movedim(1, -1)[mask], target.movedim(1, -1)[mask]
            assert value(found, task.name, "loss") == pytest.approx(float(F.mse_loss(x, y)), rel=1e-5)
            error = task.scale * (x - y).double()
            assert value(found, task.name, "rmse") == pytest.approx(float(error.square().mean().sqrt()), rel=1e-5)


@pytest.mark.parametrize("form", ["tokens", "pixels"])
def test_a_stream_is_scored_as_its_rows_are(form: str) -> None:
    whole, streamed = (positioned(form, streamed, 8)[2] for streamed in (False, True))
    assert [r.metric for r in whole] == [r.metric for r in streamed]
    assert [r.value for r in whole] == pytest.approx([r.value for r in streamed], rel=1e-6)


def test_a_metric_of_rows_sees_whole_rows() -> None:
    split, outputs, found = positioned("tokens", False, 7)
    target = np.where(split.masks["kind"], split.targets["kind"], -1)
    expected = ChunkF1().compute(target, outputs["kind"].argmax(1).numpy(), ("O", "B-x", "I-x"))
    assert 0 < expected < 100
    assert value(found, "kind", "chunk_f1") == pytest.approx(expected)
    (record,) = [record for record in found if record.metric == "chunk_f1"]
    assert record.main
