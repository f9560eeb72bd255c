"""What each way of sharing computes, against its formula written out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mtlbench.architectures import TABLE
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.engine import TABLE as ENGINES
from mtlbench.engine.batches import Batch
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.weightings import TABLE as WEIGHTINGS

TASKS = (TaskSpec("a", 3, "cross_entropy"), TaskSpec("b", 2, "mse"))
VECTORS, IMAGES = Outline(TASKS, (6,), 9), Outline(TASKS, (2, 8, 8), 9)
X, PICTURES = torch.randn(5, 6), torch.randn(5, 2, 8, 8)
CNN = {"trunk": "cnn", "channels": [3, 4], "hidden": [5]}


def model(name: str, outline: Outline = VECTORS, **parameters: Any) -> Model:
    usual = {"hidden": [5, 4]} if outline is VECTORS else {}
    return Model(TABLE.build({"name": name, **usual, **parameters}), outline, 0).eval()


def assert_same_outputs(one: Model, other: Model, inputs: Any = X) -> None:
    for name, output in one(inputs).items():
        torch.testing.assert_close(output, other(inputs)[name])


@pytest.mark.parametrize("name", ["soft", "cross_stitch", "adapters"])
def test_it_starts_as_hard_sharing_does(name: str) -> None:
    """Equal trunks mixed by rows that sum to 1, or a correction of 0."""
    assert_same_outputs(model(name), model("shared"))


def test_stitches_mix_the_columns_after_every_layer() -> None:
    found = model("cross_stitch", own=0.7)
    shared: Any = found.shared
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.normal_()
    first, second = ([*column.children()] for column in shared.columns)
    states = [X, X]
    for level, alpha in enumerate(shared.stitches):
        a, b = first[level](states[0]), second[level](states[1])
        states = [alpha[0, 0] * a + alpha[0, 1] * b, alpha[1, 0] * a + alpha[1, 1] * b]
    assert level == 1
    torch.testing.assert_close(found(X)["b"], found.own[1](states[1]))


def test_the_stitches_start_where_the_paper_has_them() -> None:
    three = replace(VECTORS, tasks=(*TASKS, TaskSpec("c", 1, "mse")))
    shared: Any = Model(TABLE.build({"name": "cross_stitch"}), three, 0).shared
    start = shared.stitches[0]
    torch.testing.assert_close(start, torch.tensor([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]]))


def test_a_gate_mixes_experts_by_a_softmax_of_the_input() -> None:
    found = model("mmoe", experts=3)
    shared: Any = found.shared
    own: Any = found.by_task["a"]
    logits = X @ own.gate[1].weight.T
    experts = [trunk(X) for trunk in shared.trunks]
    mixed = sum(logits.softmax(1)[:, e : e + 1] * z for e, z in enumerate(experts))
    torch.testing.assert_close(found(X)["a"], own.head(mixed))
    assert not torch.allclose(experts[0], experts[1])


def test_a_tasks_own_experts_stand_beside_the_shared_ones() -> None:
    found = model("cgc", experts=1, task_experts=2)
    shared: Any = found.shared
    own: Any = found.by_task["b"]
    weights = (X @ own.gate[1].weight.T).softmax(1)
    experts = [*(trunk(X) for trunk in own.own.trunks), shared.trunks[0](X)]
    mixed = sum(weights[:, e : e + 1] * z for e, z in enumerate(experts))
    torch.testing.assert_close(found(X)["b"], own.head(mixed))


def test_levels_extract_one_after_another() -> None:
    found = model("ple", experts=1, task_experts=1)
    modules: Any = found.shared
    own: Any = found.by_task["a"]
    (level,), last = modules.levels, modules.last

    def mixed(gate: Any, state: Tensor, parts: list[Tensor]) -> Tensor:
        weights: Tensor = (state @ gate[1].weight.T).softmax(1)
        return sum((weights[:, e : e + 1] * z for e, z in enumerate(parts)), torch.zeros(()))

    a, b, common = (experts.trunks[0](X) for experts in level.experts)
    state, shared = mixed(level.gates[0], X, [a, common]), mixed(level.gates[2], X, [a, b, common])
    top = mixed(own.gate, state, [own.own.trunks[0](state), last.trunks[0](shared)])
    torch.testing.assert_close(found(X)["a"], own.head(top))


def test_decided_bits_select_single_experts() -> None:
    found = model("dselect_k", experts=4, selected=2)
    own: Any = found.by_task["a"]
    gate, penalty = own.gate, found.penalty()
    assert penalty is not None
    assert penalty > 0
    with torch.no_grad():
        gate.bits.copy_(torch.tensor([[1.0, -1.0], [1.0, 1.0]]))  # the experts 01 and 11
        gate.shares.copy_(torch.tensor([0.0, torch.tensor(3.0).log()]))
    torch.testing.assert_close(gate(X), torch.tensor([0, 0.25, 0, 0.75]).expand(5, 4))
    torch.testing.assert_close(gate.choices(), torch.eye(4)[[1, 3]])
    gate.bits.data.zero_()
    torch.testing.assert_close(gate.choices(), torch.full((2, 4), 0.25))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"experts": 3}, "experts: expected a power of two above 1, got 3"),
        ({"experts": 2, "selected": 3}, "selected: expected at most 2"),
    ],
)
def test_impossible_selections(parameters: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TABLE.build({"name": "dselect_k", **parameters})


def test_masks_of_one_leave_the_shared_features() -> None:
    found = model("mtan", IMAGES, **CNN)
    columns: Any = found.own
    for own in columns:
        for mask in own[0].masks:
            mask[2].weight.data.zero_()
            mask[2].bias.data.fill_(1e3)
    assert_same_outputs(found, model("shared", IMAGES, **CNN), PICTURES)


def test_attention_needs_maps() -> None:
    (refused,) = TABLE.build({"name": "mtan", "trunk": "mlp"}).check(IMAGES)
    assert "no convolution blocks in a row to attend to, in the inputs: use trunk cnn" in refused
    assert TABLE.build({"name": "mtan", "trunk": "resnet", "channels": [4]}).check(IMAGES) == []


@pytest.mark.parametrize("name", ["mtan", "two_tower"])
def test_no_trunk_makes_maps_of_vectors(name: str) -> None:
    (refused,) = TABLE.build({"name": name}).check(VECTORS)
    assert refused.endswith("got vectors of shape [6], in the inputs: no trunk does it: use another architecture")


def test_towers_are_convolutions_with_dense_layers() -> None:
    (refused,) = TABLE.build({"name": "two_tower", "trunk": "resnet"}).check(IMAGES)
    assert "labels of whole rows, in the inputs: use trunk cnn" in refused


def test_towers_pair_rows_and_start_again() -> None:
    sets = Outline(TASKS, {"a": (2, 8, 8), "b": (1, 9, 8)}, 9)
    found = model("two_tower", sets, **CNN)
    a, b = torch.randn(4, 2, 8, 8), torch.randn(3, 1, 9, 8)
    whole = found({"a": a, "b": b})
    repeated = found({"a": a, "b": b[[0, 1, 2, 0]]})
    torch.testing.assert_close(whole["a"], repeated["a"])
    torch.testing.assert_close(whole["b"], repeated["b"][:3])
    changed = found({"a": a, "b": torch.cat([b[:2], b[2:] + 1])})
    differs = [not torch.allclose(x, y) for x, y in zip(whole["a"], changed["a"], strict=True)]
    assert differs == [False, False, True, False]
    assert found({"a": a, "b": b[:0]})["b"].shape == (0, 2)


def test_penalties_of_soft_sharing() -> None:
    tied = model("soft", tie="l2", strength=0.5)
    assert tied.penalty() == 0
    tied_columns: Any = tied.own
    weights = [own[0][0][0].weight for own in tied_columns]
    with torch.no_grad():
        weights[0].add_(1)  # each of two is half away from their mean
    torch.testing.assert_close(tied.penalty(), torch.tensor(0.5 * 2 * weights[0].numel() / 4))
    traced = model("soft", tie="trace", strength=2.0)
    traced_columns: Any = traced.own
    layers = zip(*([p.flatten() for p in own[0].parameters() if p.ndim > 1] for own in traced_columns), strict=True)
    expected = 2 * sum(torch.linalg.matrix_norm(torch.stack(layer).double(), "nuc") for layer in layers)
    penalty = traced.penalty()
    assert penalty is not None
    torch.testing.assert_close(penalty.double(), expected, rtol=1e-3, atol=0)
    assert model("soft", strength=0.0).penalty() is None
    assert Model(TABLE.build({"name": "soft"}), VECTORS.only(("a",)), 0).penalty() is None


@pytest.mark.parametrize("tie", ["l2", "trace"])
@pytest.mark.parametrize("biases", [False, True])
def test_biases_are_free_unless_they_are_asked_for(biases: bool, tie: str) -> None:
    tied = model("soft", tie=tie, strength=0.5, biases=biases)
    columns: Any = tied.own
    before = tied.penalty()
    with torch.no_grad():
        columns[0][0][0][0].bias.add_(1)
    after = tied.penalty()
    assert before is not None
    assert after is not None
    assert bool(after > before) == biases


@pytest.mark.parametrize("tie", ["l2", "trace"])
def test_a_tie_holds_networks_together_in_training(tie: str) -> None:
    distances = []
    for strength in (0.0, 1.0):
        found = model("soft", tie=tie, strength=strength)
        optimizer = torch.optim.SGD(found.parameters(), 0.05)
        weighting = WEIGHTINGS.build({"name": "equal"})
        state = weighting.start(("a", "b"), torch.device("cpu"))
        step = Step(ENGINES.build({"name": "eager"}), found, VECTORS, weighting, state, optimizer)
        torch.manual_seed(0)
        targets = [torch.randint(0, 3, (5,)), torch.randn(5, 2)]
        for _ in range(20):
            step(Batch(X, targets, None, torch.tensor([5.0, 5.0]), 5))
        columns: Any = found.own
        weights = ([p for p in own[0].parameters() if p.ndim > 1] for own in columns)
        first, second = (torch.cat([p.flatten() for p in layers]) for layers in weights)
        distances.append((first - second).norm())
    assert distances[1] < distances[0] / 2


def test_a_frozen_trunk_stays() -> None:
    frozen = model("adapters", freeze=True)
    assert not any(parameter.requires_grad for parameter in frozen.shared_parameters())
    assert all(parameter.requires_grad for parameter in frozen.task_parameters("a"))
    assert all(parameter.requires_grad for parameter in model("adapters").shared_parameters())
