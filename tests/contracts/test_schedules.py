"""Every row of the table of schedules: factors of the learning rate, epoch by epoch."""

from __future__ import annotations

from math import isfinite

import pytest
import torch
from torch.nn import Parameter

from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.optim.schedules import Schedule

EPOCHS = 6
SCORES = (1.0, 0.7, 0.9, 0.9, 0.9, 0.2)


def build(name: str, **more: object) -> Schedule:
    built = SCHEDULES.build({"name": name, **SCHEDULES.load(name).example(), **more})
    assert isinstance(built, Schedule)
    return built


def rates(schedule: Schedule) -> list[float]:
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=2.0)
    driver, found = schedule.build(optimizer, EPOCHS), []
    for score in SCORES:
        found.append(optimizer.param_groups[0]["lr"])
        driver.step(score)
    return found


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_finite_start_at_that_of_the_optimizer_and_are_pure(name: str) -> None:
    found = rates(build(name))
    assert all(isfinite(rate) and rate >= 0 for rate in found)
    assert found[0] == 2.0
    assert rates(build(name)) == found


@pytest.mark.parametrize("name", SCHEDULES)
def test_warm_up_goes_before_any(name: str) -> None:
    assert rates(build(name, warmup=3))[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_score_has_a_say_where_it_is_asked_for(name: str) -> None:
    schedule = build(name)
    flat, falling = ([schedule.factor(e, EPOCHS, scores[:e]) for e in range(EPOCHS)] for scores in (
        (1.0,) * EPOCHS, tuple(1 / (e + 1) for e in range(EPOCHS)),
    ))  # fmt: skip
    assert schedule.by_score is (flat != falling)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_any_optimizer_takes_it(name: str, optimizer: str) -> None:
    assert build(name).check(OPTIMIZERS.build({"name": optimizer, **OPTIMIZERS.load(optimizer).example()})) == []
