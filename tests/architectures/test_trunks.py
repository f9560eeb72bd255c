"""Trunks and heads: sizes, sharing between architectures, and sentences about what does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from mtlbench.architectures import TABLE
from mtlbench.architectures.mmoe import Mmoe
from mtlbench.architectures.shared import Shared
from mtlbench.architectures.single import Single
from mtlbench.architectures.trunked import form_of
from mtlbench.architectures.trunks import TRUNKS
from mtlbench.architectures.trunks.mlp import Mlp
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
    shared, single = (Model(kind.from_plain({"hidden": [5, 4]}), outline(6), 7) for kind in (Shared, Single))
    x = torch.randn(3, 6)
    for name, output in shared(x).items():
        assert torch.equal(output, single(x)[name])
    assert single.shared_parameters() == []
    assert len(single.task_parameters("a")) == len(shared.shared_parameters()) + len(shared.task_parameters("a"))


def test_layers_are_those_asked_for() -> None:
    def trunk(**parameters: Any) -> Any:
        return Model(Shared.from_plain(parameters), outline(2), 0).shared

    layers = trunk(hidden=[4, 3], activation="tanh", dropout=0.5)
    assert [type(layer) for block in layers for layer in block] == [nn.Linear, nn.Tanh, nn.Dropout] * 2
    assert len(trunk(hidden=[])) == 0


def test_the_reference_linear_network() -> None:
    shape = Outline(TASKS, (100,), 10)
    model = Model(TABLE.build({"name": "shared", "trunk": "linear", "hidden": [50]}), shape, 0)
    assert sum(p.numel() for p in model.shared_parameters()) == 100 * 50 + 50
    x, y = torch.randn(2, 100), torch.randn(2, 100)
    torch.testing.assert_close(model.represent(x + y), model.represent(x) + model.represent(y) - model.represent(0 * x))


CHANNELS = "channels[^:]*only trunk cnn, resnet.* has it, got trunk mlp; remove it"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"channels": [4]}, CHANNELS),
        ({"trunk": {"name": "mlp", "channels": [4]}}, f"trunk.{CHANNELS}"),
        ({"trunk": "lstm", "pooling": 2}, "pooling[^:]*only trunk cnn has it, got trunk lstm"),
        ({"trunk": "transformer", "embedding": 10}, "embedding: expected an even multiple of attention_heads"),
        ({"trunk": "lstm", "hidden": []}, "hidden\n.* at least 1 item"),
        ({"trunk": "cnn", "kernel_size": 4}, "expected an odd number, got 4"),
        ({"hidden": [0]}, "hidden.0\n.*greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"trunk": "mpl"}, "trunk\n.*unknown trunk 'mpl', did you mean 'mlp'"),
        ({"trunk": {"name": "mpl"}}, "trunk.name\n.*unknown trunk 'mpl', did you mean 'mlp'"),
        ({"trunk": {"name": 3}}, "trunk.name\n.*expected a name, got 3"),
        ({"trunk": 3}, "trunk\n.*expected a name, or a mapping with a name, got 3"),
        ({"trunk": "mtlbench.architectures.shared:Shared"}, "expected a subclass of .*trunks.base.Trunk, got Shared"),
        (
            {"trunk": {"name": "cnn"}, "channels": [3]},
            "channels\n.*expected inside trunk, since that is",
        ),
        ({"encoders": {"a": {"trunk": "mlp", "channels": [3]}}}, f"encoders.a.{CHANNELS}"),
        ({"trunk": "cnn", "channels": []}, "at least 1 item"),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TABLE.build({"name": "shared", **parameters})


def test_both_forms_are_one_and_are_written_flat() -> None:
    flat = {"trunk": "cnn", "channels": [4, 8], "hidden": [3]}
    nested = {"trunk": {"name": "cnn", "channels": [4, 8], "hidden": [3]}}
    encoded = [{"encoders": {"a": form}} for form in (flat, nested)]
    for one, other in ((flat, nested), encoded):
        shared = Shared.from_plain(one)
        assert shared == Shared.from_plain(other)
        assert Shared.from_plain(shared.model_dump(mode="json")) == shared
    written = Shared.from_plain(nested).model_dump(mode="json")
    assert written == {**flat, "kernel_size": 3, "pooling": 2, "activation": "relu", "dropout": 0.0,
                       "encoders": {}, "encoder_width": 64}  # fmt: skip
    assert set(Shared().model_dump()) == {"trunk", "hidden", "activation", "dropout", "encoders", "encoder_width"}
    assert Shared.from_plain({"trunk": {"hidden": [3]}}).trunk.name == "mlp"  # the default, as without a trunk
    assert Shared.from_plain({"trunk": "mlp", "channels": None}) == Shared()


class Wave(Mlp):
    """A trunk with parameters that no other has, one of them called as one of mixtures of experts."""

    waves: int = 2
    experts: int = 5


@pytest.fixture
def wave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TRUNKS, "_own", {**TRUNKS._own, "wave": f"{__name__}:Wave"})


@pytest.mark.usefixtures("wave")
def test_a_clash_of_names_takes_the_nested_form() -> None:
    spec = {"trunk": {"name": "wave", "waves": 3, "experts": 7}, "experts": 2}
    mixture = Mmoe.from_plain(spec)
    assert (mixture.experts, mixture.body) == (2, Wave(waves=3, experts=7))
    written = mixture.model_dump(mode="json")
    assert written["trunk"]["experts"] == 7
    assert Mmoe.from_plain(written) == mixture
    with pytest.raises(ValidationError, match=r"experts\n.*trunk wave has a parameter of this name, too: write trunk:"):
        Mmoe.from_plain({"trunk": "wave", "experts": 2})
    flat = Shared.from_plain({"trunk": "wave", "experts": 7})  # which has no parameter of that name
    assert flat.model_dump()["experts"] == 7


def test_a_trunk_of_a_users_own_is_written_nested_so_that_its_code_counts() -> None:
    own = f"{__name__}:Wave"
    shared = Shared.from_plain({"trunk": own, "waves": 3})
    assert shared == Shared.from_plain({"trunk": {"name": own, "waves": 3}})
    assert shared.model_dump(mode="json")["trunk"]["name"] == own


def test_problems_that_do_not_fit() -> None:
    cnn = Shared.from_plain({"trunk": "cnn", "channels": [4, 4, 4]})
    (sentence,) = cnn.check(outline(1, 7, 12))
    assert "at least 8x8, got 7x12" in sentence
    assert cnn.check(outline(1, 8, 8)) == []
    sets = Outline(TASKS, {"a": (3,), "b": (4,)}, 10)
    (sentence,) = Shared().check(sets)
    assert "'a' have shape [3]; the inputs of task 'b' have shape [4]: give each task an encoder" in sentence
    words = Outline(TASKS, {"a": (5,), "b": (5,)}, 10, vocabulary={"a": 9, "b": 9})
    assert "one vocabulary, but each task's words are its own" in Shared.from_plain({"trunk": "bag"}).check(words)[0]
    assert Shared.from_plain({"trunk": "bag"}).check(words.only(("a",))) == []
    assert Single().check(sets) == []
    assert len(Single.from_plain({"trunk": "cnn"}).check(sets)) == 2
    tagged = Outline((TaskSpec("a", 3, "cross_entropy", positions=(4,)),), (5,), 10, vocabulary=9)
    for trunk, reason in {"bag": "gives features of whole rows", "lstm": "keeps positions [5], but"}.items():
        (sentence,) = Shared.from_plain({"trunk": trunk}).check(tagged)
        assert reason in sentence
        assert "labels at positions [4]" in sentence
    several = (*tagged.tasks, TaskSpec("b", 3, "cross_entropy", positions=(5,)))
    assert (
        "positions of one shape, got [4], [5]"
        in Shared.from_plain({"trunk": "lstm"}).check(Outline(several, (5,), 10))[0]
    )


def test_an_encoder_for_each_task_or_for_none() -> None:
    sets = Outline(TASKS, {"a": (3,), "b": (1, 4, 4)}, 10)
    table, image = {"hidden": [5]}, {"trunk": {"name": "cnn", "channels": [2], "hidden": []}}
    assert Shared.from_plain({"encoders": {"a": table}}).check(sets) == ["encoders: expected one for task 'b', got a"]
    (wrong,) = Shared.from_plain({"encoders": {"a": image, "b": table}}).check(sets)
    expected = "trunk cnn expects images, got vectors of shape [3], in the inputs of task 'a': use trunk mlp"
    assert wrong.startswith(expected)
    right = Shared.from_plain({"encoders": {"a": table, "b": image}, "encoder_width": 6, "hidden": [4]})
    assert right.check(sets) == []
    assert right.check(sets.only(("b",))) == []  # as a single-task baseline sees it
    tagged = replace(sets, tasks=(TASKS[0], replace(TASKS[1], positions=(4, 4))))
    assert "got labels of task 'b' at positions [4, 4]: leave out" in right.check(tagged)[0]
    model = Model(right, sets, 0)
    assert model.represent({"a": torch.zeros(2, 3), "b": torch.zeros(3, 1, 4, 4)})["b"].shape == (3, 4)
