"""Penalties and their gradients against formulas in float64."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.engine.model import Model
from mtlbench.penalties import TABLE
from mtlbench.penalties.norms import L21, Trace
from tests.toy_data import NAMES, make

RHO = 0.3
NORMS = ("elastic_net", "l1", "l2", "l21", "trace")  # those whose formulas stand below


def layers(*sizes: int, seed: int = 0) -> Any:  # a Sequential, whose modules have types of their own
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes))).double()


def gradient_of(name: str, w: Tensor) -> Tensor:
    """The gradient of R, written out."""
    if name == "l1":
        return w.sign()
    if name == "l2":
        return w
    if name == "elastic_net":
        return 0.5 * w.sign() + 0.5 * w
    if name == "l21":
        return w / w.square().sum(0).sqrt()
    u, _, vh = torch.linalg.svd(w, full_matrices=False)
    product: Tensor = u @ vh
    return product


def value_of(name: str, w: Tensor) -> Tensor:
    values: dict[str, Tensor] = {
        "l1": w.abs().sum(),
        "l2": (w**2).sum() / 2,
        "elastic_net": w.abs().sum() / 2 + (w**2).sum() / 4,
        "l21": (w**2).sum(0).sqrt().sum(),
        "trace": torch.linalg.eigvalsh(w.T @ w).clamp(min=0).sqrt().sum(),
    }
    return values[name]


@pytest.mark.parametrize("name", ["shared", "single"])
def test_encoders_are_part_of_the_trunk(name: str) -> None:
    outline = Outline((TaskSpec("a", 1, "mse"), TaskSpec("b", 1, "mse")), {"a": (3,), "b": (4,)}, 9)
    model = Model(
        ARCHITECTURES.build({"name": name, "encoders": {"a": {"hidden": [5]}, "b": {"hidden": [5]}}}), outline, 0
    )
    TABLE.build({"name": "l2", "strength": RHO, "on": "trunk"}).term(*model.trunk_and_heads()).backward()
    weights = [p for part, p in model.named_parameters() if part.startswith("front.") and p.ndim > 1]
    assert len(weights) == 4
    assert all(p.grad is not None and torch.allclose(p.grad, RHO * p) for p in weights)


@pytest.mark.parametrize("on", ["trunk", "heads", "all"])
@pytest.mark.parametrize("name", NORMS)
def test_value_and_gradient(name: str, on: str) -> None:
    trunk, heads = layers(5, 4, 3), [layers(3, 2, seed=1), layers(3, 1, seed=2)]
    penalty = TABLE.build({"name": name, "strength": RHO, "on": on})
    value = penalty.term(trunk, heads)
    value.backward()
    stacked = torch.cat([head[0].weight for head in heads]).detach()
    matrices = [*((layer.weight.detach() for layer in trunk) if on != "heads" else ())]
    matrices += [stacked] if on != "trunk" else []
    torch.testing.assert_close(value.detach(), RHO * sum(value_of(name, w) for w in matrices))
    found = [layer.weight.grad for layer in trunk] if on != "heads" else []
    found += [torch.cat([head[0].weight.grad for head in heads])] if on != "trunk" else []
    for gradient, matrix in zip(found, matrices, strict=True):
        torch.testing.assert_close(gradient, RHO * gradient_of(name, matrix))
    untouched = {"trunk": [h[0].weight for h in heads], "heads": [layer.weight for layer in trunk], "all": []}[on]
    biases = [module.bias for module in (*trunk, *(h[0] for h in heads))]
    assert all(parameter.grad is None for parameter in (*untouched, *biases))


@pytest.mark.parametrize("name", NORMS)
def test_the_gradient_at_zero_is_zero(name: str) -> None:
    head = layers(3, 2)
    nn.init.zeros_(head[0].weight)
    TABLE.build({"name": name}).term(nn.Identity(), [head]).backward()
    assert head[0].weight.grad.tolist() == [[0.0] * 3] * 2


def test_subgradients_of_least_norm() -> None:
    w = torch.tensor([[3.0, 0.0], [4.0, 0.0]], requires_grad=True)
    L21().norm(w).backward()
    torch.testing.assert_close(w.grad, torch.tensor([[0.6, 0.0], [0.8, 0.0]]))  # nothing in the column of zeros
    w.grad = None
    Trace().norm(w).backward()
    torch.testing.assert_close(w.grad, torch.tensor([[0.6, 0.0], [0.8, 0.0]]))  # nothing beyond the rank


def test_convolutions_count_as_channels_by_window_and_heads_of_other_widths_stand_alone() -> None:
    convolution = nn.Conv2d(2, 3, 5)
    heads = [layers(4, 2).float(), layers(6, 2).float(), layers(4, 1).float()]
    seen: list[tuple[int, ...]] = []

    class Shapes(L21):
        def norm(self, matrix: Tensor) -> Tensor:
            seen.append(tuple(matrix.shape))
            return matrix.sum()

    Shapes().term(convolution, heads)
    assert seen == [(3, 50), (3, 4), (2, 6)]


def test_nothing_to_penalise() -> None:
    assert TABLE.build({"name": "l1", "on": "trunk"}).term(nn.Identity(), [layers(3, 2)]) is None
    assert TABLE.build({"name": "none"}).term(layers(3, 2), []) is None


@pytest.mark.parametrize("settings", [{"strength": 0}, {"on": "biases"}, {"l1_ratio": 2}])
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"greater than 0|'trunk', 'heads' or 'all'|less than or equal to 1"):
        TABLE.build({"name": "elastic_net", **settings})


@pytest.mark.parametrize("on", ["trunk", "heads", "all"])
def test_networks_that_share_nothing_have_a_trunk_each(on: str) -> None:
    """So that the single-task baseline is penalised as the method is; it starts from the same weights."""
    outline = make("shared").outline.only(NAMES[:1])
    single, shared = (Model(ARCHITECTURES.build({"name": name}), outline, 0) for name in ("single", "shared"))
    penalty = TABLE.build({"name": "l2", "on": on})
    torch.testing.assert_close(penalty.term(*single.trunk_and_heads()), penalty.term(*shared.trunk_and_heads()))
