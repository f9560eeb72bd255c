"""Optimizers against torch's own, and against formulas in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn import Parameter

from mtlbench.optim import OPTIMIZERS
from mtlbench.optim.base import Optimizer, Update
from tests import entries

UPDATES: tuple[Update, ...] = ("loop", "foreach", "fused")


def built(name: str) -> Optimizer:
    """The optimizer of that name, with the parameters of its example."""
    optimizer = OPTIMIZERS.build({"name": name, **OPTIMIZERS.load(name).example()})
    assert isinstance(optimizer, Optimizer)
    return optimizer


def descend(optimizer: torch.optim.Optimizer, parameter: Parameter) -> torch.Tensor:
    for _ in range(5):
        optimizer.zero_grad()
        (parameter**4).sum().backward()
        optimizer.step()
    return parameter.detach().clone()


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize(
    ("spec", "oracle", "more"),
    [
        ({"name": "adam", "betas": [0.8, 0.99], "eps": 1e-3, "weight_decay": 0.2}, torch.optim.Adam, {}),
        ({"name": "adamw", "betas": [0.8, 0.99], "eps": 1e-3, "weight_decay": 0.2}, torch.optim.AdamW, {}),
        ({"name": "sgd", "weight_decay": 0.2}, torch.optim.SGD, {}),
        ({"name": "gd"}, torch.optim.SGD, {}),
        ({"name": "momentum", "momentum": 0.7, "weight_decay": 0.2}, torch.optim.SGD, {}),
        ({"name": "nesterov", "momentum": 0.7}, torch.optim.SGD, {"nesterov": True}),
        ({"name": "adagrad", "eps": 1e-3, "weight_decay": 0.2}, torch.optim.Adagrad, {}),
        ({"name": "rmsprop", "alpha": 0.7, "eps": 1e-3, "weight_decay": 0.2}, torch.optim.RMSprop, {}),
    ],
)
def test_settings_arrive(spec: dict[str, Any], oracle: Any, more: dict[str, Any], update: Update) -> None:
    spec = {**spec, "lr": 0.1}
    optimizer = OPTIMIZERS.build(spec)
    if optimizer.check(update):
        pytest.skip(optimizer.check(update)[0])
    mine, theirs = (Parameter(torch.tensor([0.5, -0.3])) for _ in range(2))
    built = optimizer.build([mine], [], update)
    parameters = {key: tuple(value) if key == "betas" else value for key, value in spec.items() if key != "name"}
    torch.testing.assert_close(descend(built, mine), descend(oracle([theirs], **parameters, **more), theirs))
    assert bool(built.param_groups[0].get("fused")) is (update == "fused")
    assert built.param_groups[0]["foreach"] is (update == "foreach")


@pytest.mark.parametrize("name", [n for n in OPTIMIZERS if "weight_decay" in OPTIMIZERS.load(n).model_fields])
def test_parameters_of_a_weighting_do_not_decay(name: str) -> None:
    model, weighting = Parameter(torch.ones(1)), Parameter(torch.ones(1))
    optimizer = OPTIMIZERS.build({"name": name, **OPTIMIZERS.load(name).example(), "weight_decay": 0.3})
    built = optimizer.build([model], [weighting], "loop")
    assert [group["weight_decay"] for group in built.param_groups] == [0.3, 0.0]
    assert built.param_groups[1]["params"] == [weighting]


@pytest.mark.parametrize("update", ["loop", "foreach", "kernel"])
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_without_bias_correction_is_the_formula(name: str, update: Update) -> None:
    lr, beta1, beta2, eps, decay = 0.1, 0.8, 0.95, 1e-3, 0.2
    spec = {"name": name, "lr": lr, "betas": [beta1, beta2], "eps": eps, "weight_decay": decay}
    start = torch.tensor([0.5, -0.3, 0.0], dtype=torch.float64)
    parameter = Parameter(start.float() if update == "kernel" else start.clone())
    unused = Parameter(torch.ones(2))
    optimizer = OPTIMIZERS.build({**spec, "bias_correction": False}).build([parameter, unused], [], update)
    p, m, v = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    for _ in range(5):
        optimizer.zero_grad()
        (parameter**4).sum().backward()
        optimizer.step()
        g = 4 * p**3 + (decay * p if name == "adam" else 0)
        p = p * (1 - lr * decay) if name == "adamw" else p
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        p = p - lr * m / (v.sqrt() + eps)
    tolerance: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-7} if update == "kernel" else {"rtol": 1e-12, "atol": 1e-14}
    torch.testing.assert_close(parameter.detach().double(), p, **tolerance)
    assert bool((unused == 1).all())


@pytest.mark.parametrize(
    ("spec", "update", "message"),
    [
        ({"name": "sgd"}, "kernel", "has no update by mtlbench's kernels"),
        ({"name": "rmsprop"}, "fused", "has no update by torch's fused kernels"),
        ({"name": "lbfgs"}, "foreach", "has no update by torch's foreach"),
        ({"name": "adam", "bias_correction": False}, "fused", "which always correct"),
    ],
)
def test_impossible_updates_are_refused(spec: dict[str, Any], update: Update, message: str) -> None:
    (sentence,) = OPTIMIZERS.build(spec).check(update)
    assert message in sentence


def test_only_methods_on_the_whole_split_choose_their_rows() -> None:
    rows = {name: built(name).batch_size(32, 500) for name in OPTIMIZERS}
    assert {rows["gd"], rows["lbfgs"], rows["newton"]} == {500}
    assert all(size == (500 if entries.optimizer(name).whole_split else 32) for name, size in rows.items())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "adam", "lr": 0}, "greater than 0"),
        ({"name": "adam", "betas": [0.9, 1.0]}, "less than 1"),
        ({"name": "nesterov", "momentum": 0}, "greater than 0"),
    ],
)
def test_settings_that_make_no_sense(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OPTIMIZERS.build(spec)
