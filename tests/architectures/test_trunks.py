"""Trunks and heads: sizes, sharing between architectures, and sentences about what does not fit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from mtlbench.architectures import TABLE
from mtlbench.architectures.shared import Shared
from mtlbench.architectures.single import Single
from mtlbench.architectures.trunked import PARAMETERS, TrunkChoice, form_of
from mtlbench.architectures.trunks import TRUNKS
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.engine.model import Model

TASKS = (TaskSpec("a", 3, "cross_entropy"), TaskSpec("b", 1, "bce_with_logits"))


def outline(*shape: int) -> Outline:
    return Outline(TASKS, shape, 10)


@given(
    shape=st.lists(st.integers(4, 9), min_size=1, max_size=3),
    hidden=st.lists(st.integers(1, 5), max_size=3),
    channels=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    kernel=st.sampled_from([1, 3, 5]),
    pooling=st.integers(1, 2),
    trunk=st.sampled_from(["mlp", "cnn"]),
)
@settings(max_examples=40, deadline=None)
def test_the_width_is_what_the_trunk_gives(
    shape: list[int], hidden: list[int], channels: list[int], kernel: int, pooling: int, trunk: str
) -> None:
    parameters: dict[str, Any] = {"trunk": trunk, "hidden": hidden}
    if trunk == "cnn":
        parameters |= {"channels": channels, "kernel_size": kernel, "pooling": pooling}
    shared = TABLE.build({"name": "shared", **parameters})
    if trunk == "cnn" and len(shape) != 3:
        assert "expects images" in shared.check(outline(*shape))[0]
        return
    assert shared.check(outline(*shape)) == []
    assert Model(shared, outline(*shape), 0).represent(torch.zeros(2, *shape)).shape == (
        2,
        shared.body.width(form_of(outline(*shape))),
    )


def test_single_networks_start_as_the_shared_one_does() -> None:
    shared, single = (Model(kind(hidden=(5, 4)), outline(6), 7) for kind in (Shared, Single))
    x = torch.randn(3, 6)
    for name, output in shared(x).items():
        assert torch.equal(output, single(x)[name])
    assert single.shared_parameters() == []
    assert len(single.task_parameters("a")) == len(shared.shared_parameters()) + len(shared.task_parameters("a"))


def test_layers_are_those_asked_for() -> None:
    layers = Model(Shared(hidden=(4, 3), activation="tanh", dropout=0.5), outline(2), 0).shared
    assert [type(layer) for block in layers for layer in block] == [nn.Linear, nn.Tanh, nn.Dropout] * 2
    assert len(Model(Shared(hidden=()), outline(2), 0).shared) == 0


def test_the_reference_linear_network() -> None:
    shape = Outline(TASKS, (100,), 10)
    model = Model(TABLE.build({"name": "shared", "trunk": "linear", "hidden": [50]}), shape, 0)
    assert sum(p.numel() for p in model.shared_parameters()) == 100 * 50 + 50
    x, y = torch.randn(2, 100), torch.randn(2, 100)
    torch.testing.assert_close(model.represent(x + y), model.represent(x) + model.represent(y) - model.represent(0 * x))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"channels": [4]}, "channels: only trunk cnn, resnet or unet has it, got trunk mlp; remove it"),
        ({"trunk": "lstm", "pooling": 2}, "pooling: only trunk cnn has it, got trunk lstm"),
        ({"trunk": "transformer", "embedding": 10}, "embedding: expected an even multiple of attention_heads"),
        ({"trunk": "lstm", "hidden": []}, "hidden: .* at least 1 item"),
        ({"trunk": "cnn", "kernel_size": 4}, "expected an odd number, got 4"),
        ({"hidden": [0]}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"trunk": "mpl"}, "unknown trunk 'mpl', did you mean 'mlp'"),
        ({"encoders": {"a": {"trunk": "mlp", "channels": [3]}}}, "channels: only trunk"),
        ({"trunk": "cnn", "channels": []}, "at least 1 item"),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TABLE.build({"name": "shared", **parameters})


def test_a_parameter_means_the_same_in_every_trunk() -> None:
    models = [TRUNKS.load(name) for name in TRUNKS]
    assert {name for model in models for name in model.model_fields} == set(PARAMETERS)


def test_parameters_of_other_trunks_are_not_written() -> None:
    assert set(Shared().model_dump()) == {"trunk", "hidden", "activation", "dropout", "encoders", "encoder_width"}


def test_problems_that_do_not_fit() -> None:
    cnn = Shared(trunk="cnn", channels=(4, 4, 4))
    (sentence,) = cnn.check(outline(1, 7, 12))
    assert "at least 8x8, got 7x12" in sentence
    assert cnn.check(outline(1, 8, 8)) == []
    sets = Outline(TASKS, {"a": (3,), "b": (4,)}, 10)
    (sentence,) = Shared().check(sets)
    assert "'a' have shape [3]; the inputs of task 'b' have shape [4]: give each task an encoder" in sentence
    assert Single().check(sets) == []
    assert len(Single(trunk="cnn").check(sets)) == 2
    tagged = Outline((TaskSpec("a", 3, "cross_entropy", positions=(4,)),), (5,), 10, vocabulary=9)
    for trunk, reason in {"bag": "gives features of whole rows", "lstm": "keeps positions [5], but"}.items():
        (sentence,) = Shared(trunk=trunk).check(tagged)
        assert reason in sentence
        assert "labels at positions [4]" in sentence
    several = (*tagged.tasks, TaskSpec("b", 3, "cross_entropy", positions=(5,)))
    assert "positions of one shape, got [4], [5]" in Shared(trunk="lstm").check(Outline(several, (5,), 10))[0]


def test_an_encoder_for_each_task_or_for_none() -> None:
    sets = Outline(TASKS, {"a": (3,), "b": (1, 4, 4)}, 10)
    table, image = TrunkChoice(hidden=(5,)), TrunkChoice(trunk="cnn", channels=(2,), hidden=())
    assert Shared(encoders={"a": table}).check(sets) == ["encoders: expected one for task 'b', got a"]
    wrong = Shared(encoders={"a": image, "b": table}).check(sets)
    assert wrong == [
        "trunk cnn expects images, got vectors of shape [3], in the inputs of task 'a': use trunk mlp or linear"
    ]
    right = Shared(encoders={"a": table, "b": image}, encoder_width=6, hidden=(4,))
    assert right.check(sets) == []
    assert right.check(sets.only(("b",))) == []  # as a single-task baseline sees it
    model = Model(right, sets, 0)
    assert model.represent({"a": torch.zeros(2, 3), "b": torch.zeros(3, 1, 4, 4)})["b"].shape == (3, 4)
