"""Every row of the table of trunks, on every form of input that it says it can do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtlbench.architectures.shared import Shared
from mtlbench.architectures.trunked import form_of
from mtlbench.architectures.trunks import TRUNKS
from mtlbench.architectures.trunks.base import Form, Trunk
from mtlbench.architectures.trunks.choice import usual
from tests.toy_forms import FORMS, LENGTH, VOCABULARY, inputs_of

ONE_SET = [form for form, outline in FORMS.items() if isinstance(outline.input_shape, tuple)]
CASES = [(t, f) for t in TRUNKS for f in ONE_SET if not usual(t).check(form_of(FORMS[f]))]
ON_TOKENS = [trunk for trunk, form in CASES if form == "tokens"]


def build(name: str, form: Form) -> tuple[Trunk, nn.Sequential]:
    torch.manual_seed(0)
    trunk = usual(name)
    return trunk, trunk.build(form).eval()


@pytest.mark.parametrize("name", TRUNKS)
def test_parameters_are_described_and_alike_in_every_trunk(name: str) -> None:
    for key, field in TRUNKS.load(name).model_fields.items():
        assert field.description, key
        others = (TRUNKS.load(other).model_fields.get(key) for other in TRUNKS)
        assert {other.description for other in others if other} == {field.description}


@pytest.mark.parametrize("name", TRUNKS)
def test_an_architecture_takes_it_nested_or_flat(name: str) -> None:
    parameters = usual(name).model_dump(mode="json")
    nested = Shared.from_plain({"trunk": {"name": name, **parameters}})
    assert nested == Shared.from_plain({"trunk": name, **parameters})
    assert nested == Shared.from_plain(nested.model_dump(mode="json"))


@pytest.mark.parametrize("name", TRUNKS)
def test_each_trunk_can_do_something(name: str) -> None:
    assert name in {trunk for trunk, _ in CASES}


@pytest.mark.parametrize(("name", "form"), CASES)
def test_features_have_the_promised_width_and_positions(name: str, form: str) -> None:
    wanted = form_of(FORMS[form])
    trunk, module = build(name, wanted)
    places = {0: (), 1: (1 + LENGTH,), 2: wanted.positions}[wanted.rank]
    assert module(inputs_of(FORMS[form])).shape == (5, trunk.width(wanted), *places)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_maps_are_those_of_the_leading_blocks(name: str, form: str) -> None:
    wanted, features = form_of(FORMS[form]), inputs_of(FORMS[form])
    trunk, module = build(name, wanted)
    for block, shape in zip(module, trunk.maps(wanted), strict=False):
        features = block(features)
        assert features.shape[1:] == shape


@pytest.mark.parametrize(("name", "form"), CASES)
def test_no_graph_break(name: str, form: str) -> None:
    _, module = build(name, form_of(FORMS[form]))
    inputs = inputs_of(FORMS[form])
    with torch._dynamo.config.patch(allow_rnn=True):  # else recurrent layers, and they alone, break it
        compiled = torch.compile(lambda inputs: module(inputs), fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(inputs), module(inputs))
    torch.compiler.reset()


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", ON_TOKENS)
def test_padding_changes_nothing(name: str, rank: int) -> None:
    """A row with three more tokens of padding has the same features, of the row and of its tokens."""
    inputs = inputs_of(FORMS["tokens"])
    assert isinstance(inputs, torch.Tensor)
    longer = torch.nn.functional.pad(inputs, (0, 3))
    found = []
    for rows in (inputs, longer):
        length = rows.shape[1]
        form = Form((length,), VOCABULARY, (length,) * rank)
        trunk, module = build(name, form)
        if trunk.check(form):
            pytest.skip(trunk.check(form))
        features = module(rows)
        known = torch.cat([torch.ones(len(inputs), 1, dtype=torch.bool), inputs != 0], 1)
        found.append(features if rank == 0 else features.transpose(1, 2)[:, : 1 + LENGTH][known])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("name", ON_TOKENS)
def test_a_row_of_padding_is_finite(name: str) -> None:
    _, module = build(name, Form((LENGTH,), VOCABULARY))
    features = module(torch.zeros(2, LENGTH, dtype=torch.int64))
    features.sum().backward()
    assert features.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())


def test_both_directions_read_known_tokens_alone() -> None:
    """Reversed and reversed again: the second direction of a row is the first direction of the reversed row."""
    form = Form((4,), 9, (4,))
    torch.manual_seed(0)
    module = TRUNKS.build({"name": "gru", "bidirectional": True, "hidden": [3]}).build(form)
    layer = module[0].layers[0]
    layer.leftwards.load_state_dict(layer.rightwards.state_dict())
    there, back = (module(torch.tensor([row]))[0, :, 1:] for row in ([5, 6, 7, 0], [7, 6, 5, 0]))
    torch.testing.assert_close(there[3:, :3], back[:3, :3].flip(1))
