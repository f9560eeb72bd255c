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
    assert shared.build_trunk(tuple(shape))(torch.zeros(2, *shape)).shape == (2, shared.width(tuple(shape)))


def test_single_networks_start_as_the_shared_one_does() -> None:
    shared, single = (Model(kind(hidden=(5, 4)), outline(6), 7) for kind in (Shared, Single))
    x = torch.randn(3, 6)
    for name, output in shared(x).items():
        assert torch.equal(output, single(x)[name])
    assert single.shared_parameters() == []
    assert len(single.task_parameters("a")) == len(shared.shared_parameters()) + len(shared.task_parameters("a"))


def test_layers_are_those_asked_for() -> None:
    layers = Shared(hidden=(4, 3), activation="tanh", dropout=0.5).build_trunk((2,))
    kinds = [nn.Linear, nn.Tanh, nn.Dropout, nn.Linear, nn.Tanh, nn.Dropout]
    assert [type(layer) for layer in layers] == kinds
    assert len(Shared(hidden=()).build_trunk((2,))) == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"channels": [4]}, "channels: only trunk cnn"),
        ({"trunk": "cnn", "kernel_size": 4}, "expected an odd number, got 4"),
        ({"hidden": [0]}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"trunk": "mpl"}, "'mlp' or 'cnn'"),
        ({"trunk": "cnn", "channels": []}, "at least 1 item"),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TABLE.build({"name": "shared", **parameters})


def test_the_complete_parameters_of_an_entry_are_accepted_again() -> None:
    for trunk in ("mlp", "cnn"):
        shared = TABLE.build({"name": "shared", "trunk": trunk})
        assert TABLE.build({"name": "shared", **shared.model_dump(mode="json")}) == shared


def test_problems_that_do_not_fit() -> None:
    cnn = Shared(trunk="cnn", channels=(4, 4, 4))
    (sentence,) = cnn.check(outline(1, 7, 12))
    assert "at least 8x8; the inputs have 7x12" in sentence
    assert cnn.check(outline(1, 8, 8)) == []
    sets = Outline(TASKS, {"a": (3,), "b": (4,)}, 10)
    (sentence,) = Shared().check(sets)
    assert "'a' have shape [3]; the inputs of task 'b' have shape [4]: use architecture single" in sentence
    assert Single().check(sets) == []
    assert len(Single(trunk="cnn").check(sets)) == 2
