"""Every row of the table of architectures, on every form of problem that it says it can do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtlbench.architectures import TABLE
from mtlbench.architectures.base import Architecture
from mtlbench.architectures.trunks import TRUNKS
from mtlbench.engine.model import Model
from mtlbench.penalties.base import matrices
from tests import entries
from tests.toy_data import NAMES
from tests.toy_forms import FORMS, fitted, inputs_of, trunk_spec

# Tracing takes seconds: trunks are traced on all forms, and engines trace architectures on vectors and on sets of them.
TRACED = ("images", "image sets", "tokens")
CASES = [(name, form) for name in TABLE for form, outline in FORMS.items() if fitted(name, outline)]


class Case:
    """An architecture, with a trunk that fits, and a form of problem."""

    def __init__(self, name: str, form: str) -> None:
        self.outline, self.inputs = FORMS[form], inputs_of(FORMS[form])
        found = fitted(name, self.outline)
        assert found is not None
        self.architecture: Architecture = found
        self.build: Callable[..., Model] = partial(Model, self.architecture)

    def model(self, seed: int = 0) -> Model:
        return self.build(self.outline, seed)


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request: pytest.FixtureRequest) -> Case:
    return Case(*request.param)


def drawn(parameters: list[nn.Parameter]) -> list[nn.Parameter]:
    """Those that start at random: constants repeat their values (or have one alone)."""
    return [p for p in parameters if p.unique().numel() > max(1, p.numel() / 2)]


@pytest.mark.parametrize("name", [name for name in TABLE if not entries.architecture(name).analytic])
def test_each_architecture_can_do_something(name: str) -> None:
    assert name in {architecture for architecture, _ in CASES}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in TABLE if "trunk" in TABLE.load(name).model_fields])
def test_a_trunk_that_a_refusal_advises_is_accepted(name: str, form: str) -> None:
    for refused in TRUNKS:
        spec = {"name": name, **TABLE.load(name).example()}
        for sentence in TABLE.build({**spec, "trunk": trunk_spec(refused)}).check(FORMS[form]):
            advised = sentence.partition(": use trunk ")[2]
            for trunk in filter(None, advised.replace(" or ", ", ").split(", ")):
                assert trunk != refused
                assert TABLE.build({**spec, "trunk": trunk_spec(trunk)}).check(FORMS[form]) == []


def test_the_complete_parameters_are_accepted_again(case: Case) -> None:
    kind = type(case.architecture)
    assert kind.from_plain(case.architecture.model_dump(mode="json")) == case.architecture


def test_one_output_per_task_in_its_order_and_shape(case: Case) -> None:
    outputs = case.model()(case.inputs)
    assert list(outputs) == list(NAMES)
    for task in case.outline.tasks:
        rows = len(case.inputs[task.name] if isinstance(case.inputs, dict) else case.inputs)
        outputs_of_row = () if task.loss == "bce_with_logits" else (task.outputs,)
        assert outputs[task.name].shape == (rows, *outputs_of_row, *task.positions)


def test_rows_do_not_look_at_each_other_when_tested(case: Case) -> None:
    """But for those that an architecture pairs on purpose, row i with row i."""
    model = case.model().eval()
    whole = model(case.inputs)
    first = model(_map(lambda rows: rows[:2], case.inputs))
    for name in NAMES:
        torch.testing.assert_close(whole[name][:2], first[name])


def test_what_is_transferable_is_shared_and_the_same_for_any_tasks(case: Case) -> None:
    models = [case.build(case.outline.only(tasks), 0) for tasks in (NAMES[:1], NAMES[1:])]
    parts = [nn.ModuleList(part for part in (model.front, model.shared) if part is not None) for model in models]
    some, others = ({name: value.shape for name, value in part.state_dict().items()} for part in parts)
    assert case.architecture.transferable is (some == others != {})


def test_each_parameter_is_shared_or_of_one_task(case: Case) -> None:
    model = case.model()
    owned = [model.shared_parameters(), *(model.task_parameters(name) for name in NAMES)]
    listed = [id(parameter) for parameter in chain(*owned)]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(parameter) for parameter in model.parameters()}
    for name in NAMES:  # and it is used by no other task
        model.zero_grad()
        model(case.inputs)[name].sum().backward()
        others = chain(*(model.task_parameters(other) for other in NAMES if other != name))
        assert all(parameter.grad is None for parameter in others)
        assert all(parameter.grad is not None for parameter in model.task_parameters(name))


def test_the_penalty_is_a_scalar_of_trained_parameters(case: Case) -> None:
    model = case.model()
    penalty = model.penalty()
    if penalty is not None:
        assert penalty.shape == ()
        assert penalty.isfinite()
        penalty.backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_heads_end_in_the_layer_that_gives_the_output(case: Case) -> None:
    """The last matrix of a head is [outputs, width], of one width for all tasks, and the output is constant without it.

    Penalties that relate outputs take it for the weights of the output.
    """
    if case.architecture.analytic:
        return
    model = case.model().eval()
    last = [[*matrices(head)][-1][1] for head in model.trunk_and_heads()[1]]
    assert [len(matrix) for matrix in last] == [task.outputs for task in case.outline.tasks]
    assert len({matrix.shape[1] for matrix in last}) == 1
    with torch.no_grad():
        for matrix in last:
            matrix.zero_()
    for output in model(case.inputs).values():
        torch.testing.assert_close(output, output[:1].expand_as(output))


def test_one_task_is_predicted_as_all_are(case: Case) -> None:
    """Engines cut the pass at the representation and may ask for one task at a time."""
    model = case.model().eval()
    whole, representation = model(case.inputs), model.represent(case.inputs)
    for name in NAMES:
        found = model.architecture.predict(representation, {name: model.by_task[name]})
        assert torch.equal(found[name], whole[name])


def test_weights_are_pure_in_the_seed(case: Case) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = (list(case.model(seed).parameters()) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, first, again))
    assert drawn(first)
    assert not any(map(torch.equal, drawn(first), drawn(other)))


def test_fewer_tasks_start_from_the_same_weights(case: Case) -> None:
    """All that is equally large; gates over all tasks' experts, or layers behind pixels, may not be."""
    whole = case.model()
    for name in NAMES:
        alone = case.build(case.outline.only((name,)), 0)
        for part in (Model.shared_parameters, partial(Model.task_parameters, name=name)):
            there = part(whole)
            sought = drawn(part(alone))
            found = [p for p in sought if any(p.shape == q.shape and torch.equal(p, q) for q in there)]
            assert len(found) >= len(sought) / 2
        assert list(alone(_map(lambda rows: rows, case.inputs, (name,)))) == [name]


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("form", TRACED)
def test_no_graph_break(name: str, form: str) -> None:
    if (name, form) not in CASES:
        pytest.skip(f"{name} does not take {form}")
    case = Case(name, form)
    model = case.model()
    with torch._dynamo.config.patch(allow_rnn=True):  # else recurrent layers, and they alone, break it
        compiled = torch.compile(lambda inputs: model(inputs), fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(case.inputs), model(case.inputs))
    torch.compiler.reset()


def test_a_copy_is_a_model_of_its_own(case: Case) -> None:
    model = case.model()
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert not any(output.any() for output in copied(case.inputs).values())
    assert any(output.any() for output in model(case.inputs).values())


def _map(change: Callable[[Tensor], Tensor], inputs: Any, names: tuple[str, ...] = NAMES) -> Any:
    return {name: change(inputs[name]) for name in names} if isinstance(inputs, dict) else change(inputs)
