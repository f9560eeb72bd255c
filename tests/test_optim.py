"""Optimizers and schedules against torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn import Parameter

from mtlbench.optim import OPTIMIZERS, SCHEDULES

UPDATES = ("loop", "foreach", "fused")


def descend(optimizer: torch.optim.Optimizer, parameter: Parameter) -> torch.Tensor:
    for _ in range(5):
        optimizer.zero_grad()
        (parameter**4).sum().backward()
        optimizer.step()
    return parameter.detach().clone()


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize(
    ("spec", "oracle"),
    [
        ({"name": "adam", "lr": 0.1, "betas": [0.8, 0.99], "eps": 1e-3, "weight_decay": 0.2}, torch.optim.Adam),
        ({"name": "adamw", "lr": 0.1, "betas": [0.8, 0.99], "eps": 1e-3, "weight_decay": 0.2}, torch.optim.AdamW),
        ({"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.2}, torch.optim.SGD),
        ({"name": "sgd", "lr": 0.1}, torch.optim.SGD),
    ],
)
def test_settings_arrive(spec: dict[str, Any], oracle: type[torch.optim.Optimizer], update: str) -> None:
    mine, theirs = (Parameter(torch.tensor([0.5, -0.3])) for _ in range(2))
    built = OPTIMIZERS.build(spec).build([mine], [], update)
    parameters = {key: tuple(value) if key == "betas" else value for key, value in spec.items() if key != "name"}
    torch.testing.assert_close(descend(built, mine), descend(oracle([theirs], **parameters), theirs))
    assert built.param_groups[0]["fused"] is (update == "fused")
    assert built.param_groups[0]["foreach"] is (update == "foreach")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_of_a_weighting_do_not_decay(name: str) -> None:
    model, weighting = Parameter(torch.ones(1)), Parameter(torch.ones(1))
    built = OPTIMIZERS.build({"name": name, "weight_decay": 0.3}).build([model], [weighting], "loop")
    assert [group["weight_decay"] for group in built.param_groups] == [0.3, 0.0]
    assert built.param_groups[1]["params"] == [weighting]


@pytest.mark.parametrize(
    ("spec", "factors"),
    [
        ({"name": "constant"}, [1, 1, 1, 1, 1]),
        ({"name": "exponential", "gamma": 0.5}, [1, 0.5, 0.25, 0.125, 0.0625]),
        ({"name": "step", "every": 2, "gamma": 0.1}, [1, 1, 0.1, 0.1, 0.01]),
        ({"name": "cosine"}, [1, 0.853553, 0.5, 0.146447, 0]),
        ({"name": "cosine", "final": 0.2}, [1, 0.882843, 0.6, 0.317157, 0.2]),
    ],
)
def test_rates_of_five_epochs(spec: dict[str, Any], factors: list[float]) -> None:
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=3.0)
    schedule = SCHEDULES.build(spec).build(optimizer, 4)
    found = []
    for _ in range(5):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert found == pytest.approx([3 * factor for factor in factors], abs=1e-5)


@pytest.mark.parametrize(
    ("registry", "spec", "message"),
    [
        (OPTIMIZERS, {"name": "adam", "lr": 0}, "greater than 0"),
        (OPTIMIZERS, {"name": "adam", "betas": [0.9, 1.0]}, "less than 1"),
        (OPTIMIZERS, {"name": "sgd", "nesterov": True}, "expected a momentum above 0"),
        (SCHEDULES, {"name": "step"}, "Field required"),
        (SCHEDULES, {"name": "exponential", "gamma": 1.5}, "less than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense(registry: Any, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        registry.build(spec)
