"""Learning rates and momentum epoch by epoch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn import Parameter

from mtlbench.optim import OPTIMIZERS, SCHEDULES

EPOCHS = 4


def rates(spec: dict[str, Any], scores: tuple[float, ...] = (1.0,) * 5, epochs: int = EPOCHS) -> list[float]:
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=3.0)
    driver = SCHEDULES.build(spec).build(optimizer, epochs)
    found = []
    for score in scores:
        found.append(optimizer.param_groups[0]["lr"] / 3)
        driver.step(score)
    return found


@pytest.mark.parametrize(
    ("spec", "factors"),
    [
        ({"name": "constant"}, [1, 1, 1, 1, 1]),
        ({"name": "exponential", "gamma": 0.5}, [1, 0.5, 0.25, 0.125, 0.0625]),
        ({"name": "step", "every": 2, "gamma": 0.1}, [1, 1, 0.1, 0.1, 0.01]),
        ({"name": "cosine"}, [1, 0.853553, 0.5, 0.146447, 0]),
        ({"name": "cosine", "final": 0.2}, [1, 0.882843, 0.6, 0.317157, 0.2]),
        ({"name": "constant", "warmup": 3}, [0.25, 0.5, 0.75, 1, 1]),
        ({"name": "cosine", "warmup": 2}, [1 / 3, 2 / 3, 1, 0.5, 0]),
        ({"name": "step", "every": 1, "gamma": 0.1, "warmup": 1}, [0.5, 1, 0.1, 0.01, 0.001]),
    ],
)
def test_rates_of_five_epochs(spec: dict[str, Any], factors: list[float]) -> None:
    assert rates(spec) == pytest.approx(factors, abs=1e-5)


def test_warm_up_may_be_as_long_as_the_run() -> None:
    assert rates({"name": "cosine", "warmup": 9}) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize("patience", [0, 1, 2])
@pytest.mark.parametrize("min_delta", [0.0, 0.3])
def test_plateau_drops_where_torchs_does(patience: int, min_delta: float) -> None:
    scores = tuple(torch.rand(40, generator=torch.Generator().manual_seed(0)).add(1).tolist())
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=1.0)
    settings: dict[str, Any] = {"factor": 0.5, "patience": patience, "threshold": min_delta, "threshold_mode": "abs"}
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, min_lr=0, eps=0, **settings)
    expected = []
    for score in scores:
        expected.append(optimizer.param_groups[0]["lr"])
        oracle.step(score)
    found = rates({"name": "plateau", "gamma": 0.5, "patience": patience, "min_delta": min_delta}, scores, len(scores))
    assert found == pytest.approx(expected)
    assert len(set(found)) > 5


def test_plateau_counts_from_the_end_of_warm_up() -> None:
    spec = {"name": "plateau", "gamma": 0.5, "patience": 1, "warmup": 1}
    assert rates(spec, (0.1, 5.0, 5.0, 5.0, 5.0, 5.0)) == [0.5, 1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("momentum", [0.9, 0.45, 0.225]), ("adam", [(0.9, 0.999), (0.45, 0.999), (0.225, 0.999)])],
)
def test_beta_decays_with_any_schedule(name: str, expected: list[Any]) -> None:
    optimizer = OPTIMIZERS.build({"name": name})
    built = optimizer.build([Parameter(torch.ones(1))], [], "loop")
    schedule = SCHEDULES.build({"name": "exponential", "gamma": 0.1, "beta_decay": 0.5})
    assert schedule.check(optimizer) == []
    driver, found = schedule.build(built, EPOCHS, optimizer.momentum_key), []
    for _ in range(3):
        found.append(built.param_groups[0][optimizer.momentum_key])
        driver.step()
    assert found == expected
    assert built.param_groups[0]["lr"] == pytest.approx(optimizer.lr * 1e-3)


def test_beta_of_an_optimizer_without_one() -> None:
    (sentence,) = SCHEDULES.build({"name": "constant", "beta_decay": 0.5}).check(OPTIMIZERS.build({"name": "sgd"}))
    assert "expected an optimizer with momentum" in sentence


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "step"}, "Field required"),
        ({"name": "exponential", "gamma": 1.5}, "less than or equal to 1"),
        ({"name": "constant", "warmup": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_that_make_no_sense(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SCHEDULES.build(spec)
