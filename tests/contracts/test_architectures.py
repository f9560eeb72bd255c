"""Every row of the table of architectures, on every form of problem that it says it can do."""

from __future__ import annotations

import copy
from itertools import chain

import pytest
import torch
from torch import Tensor

from mtlbench.architectures import TABLE
from mtlbench.architectures.base import Architecture
from mtlbench.core.task import Outline
from mtlbench.engine.batches import training_batches
from mtlbench.engine.model import Model
from tests.toy_data import NAMES, POSITIONED, make

FORMS = ("shared", "sets", "images", *POSITIONED)
CPU = torch.device("cpu")
Inputs = Tensor | dict[str, Tensor]


@pytest.fixture(params=TABLE)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return TABLE.build({"name": request.param})


@pytest.fixture(params=FORMS)
def problem(request: pytest.FixtureRequest, architecture: Architecture) -> tuple[Outline, Inputs]:
    data = make(request.param)
    sentences = architecture.check(data.outline)
    if sentences:
        pytest.skip("; ".join(sentences))
    return data.outline, next(training_batches(data.train, NAMES, 7, 0, CPU).epoch(1)).inputs


def test_one_output_per_task_in_its_order_and_shape(
    architecture: Architecture, problem: tuple[Outline, Inputs]
) -> None:
    outline, inputs = problem
    outputs = Model(architecture, outline, 0)(inputs)
    assert list(outputs) == list(NAMES)
    for task in outline.tasks:
        rows = len(inputs[task.name] if isinstance(inputs, dict) else inputs)
        expected = (rows,) if task.loss == "bce_with_logits" else (rows, task.outputs)
        assert outputs[task.name].shape == (*expected, *task.positions)


def test_each_parameter_is_shared_or_of_one_task(architecture: Architecture, problem: tuple[Outline, Inputs]) -> None:
    outline, inputs = problem
    model = Model(architecture, outline, 0)
    owned = [model.shared_parameters(), *(model.task_parameters(name) for name in NAMES)]
    listed = [id(parameter) for parameter in chain(*owned)]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(parameter) for parameter in model.parameters()}
    for name in NAMES:  # and it is used by no other task
        model.zero_grad()
        model(inputs)[name].sum().backward()
        others = chain(*(model.task_parameters(other) for other in NAMES if other != name))
        assert all(parameter.grad is None for parameter in others)
        assert all(parameter.grad is not None for parameter in model.task_parameters(name))


def test_weights_are_pure_in_the_seed(architecture: Architecture, problem: tuple[Outline, Inputs]) -> None:
    outline, _ = problem
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = (list(Model(architecture, outline, seed).parameters()) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))


def test_fewer_tasks_start_from_the_same_weights(architecture: Architecture, problem: tuple[Outline, Inputs]) -> None:
    outline, _ = problem
    whole = Model(architecture, outline, 0)
    for name in NAMES:
        alone = Model(architecture, outline.only((name,)), 0)
        assert all(map(torch.equal, whole.shared_parameters(), alone.shared_parameters()))
        assert all(map(torch.equal, whole.task_parameters(name), alone.task_parameters(name)))


def test_no_graph_break(architecture: Architecture, problem: tuple[Outline, Inputs]) -> None:
    outline, inputs = problem
    model = Model(architecture, outline, 0)
    compiled = torch.compile(lambda inputs: model(inputs), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(inputs), model(inputs))
    torch.compiler.reset()


def test_a_copy_is_a_model_of_its_own(architecture: Architecture, problem: tuple[Outline, Inputs]) -> None:
    outline, inputs = problem
    model = Model(architecture, outline, 0)
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert not any(output.any() for output in copied(inputs).values())
    assert any(output.any() for output in model(inputs).values())
