"""One step updates running statistics once, whatever the weighting and the optimizer make of its forward passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mtlbench.architectures.shared import Shared
from mtlbench.core.settings import Heads, HeadsRule
from mtlbench.engine import TABLE
from mtlbench.engine.batches import training_batches
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.optim import OPTIMIZERS
from mtlbench.weightings import TABLE as WEIGHTINGS
from mtlbench.weightings.base import Need
from tests import entries
from tests.toy_data import NAMES, make

CPU = torch.device("cpu")
RESNET = {"trunk": {"name": "resnet", "channels": [4]}}


def buffers_after(
    weighting: dict[str, Any], optimizer: str = "sgd", steps: int = 2, heads: HeadsRule = "own"
) -> dict[str, torch.Tensor]:
    """The buffers of a network with batch normalisation, whose weights hardly move."""
    data = make("images")
    model = Model(Shared.from_plain(RESNET), data.outline, 0)
    method = WEIGHTINGS.build(weighting)
    state = method.start(NAMES, CPU)
    spec = {"name": optimizer, **OPTIMIZERS.load(optimizer).example(), "lr": 1e-12}
    built = OPTIMIZERS.build(spec).build(model.parameters(), method.parameters(state), "loop")
    engine = TABLE.build({"name": "eager"})
    step = Step(engine, model, data.outline, method, state, built, heads=Heads(rule=heads))
    batches = training_batches(data.train, NAMES, 16, 0, CPU).epoch(1)
    for _ in range(steps):
        step(next(batches))
    return dict(model.named_buffers())


def example(name: str) -> dict[str, Any]:
    weights = {"weights": [0.5, 0.3, 0.2]} if name == "fixed" else WEIGHTINGS.load(name).example()
    return {"name": name, **weights}


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_every_weighting_updates_running_statistics_once_a_step(name: str) -> None:
    found, expected = buffers_after(example(name)), buffers_after(example("equal"))
    counted = [int(value) for key, value in found.items() if "num_batches_tracked" in key]
    assert counted
    assert set(counted) == {2}
    halves = Need.CROSSED in entries.weighting(name).needs  # each normalised by its own mean and variance
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key], rtol=1e-2 if halves else 1e-5, atol=1e-3 if halves else 1e-6)


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
def test_a_line_search_evaluates_without_updating_them(optimizer: str) -> None:
    found, expected = buffers_after(example("equal"), optimizer, 1), buffers_after(example("equal"), "sgd", 1)
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key])


@pytest.mark.parametrize("heads", ["own", "weighted", "published"])
def test_no_rule_for_the_heads_needs_another_pass(heads: HeadsRule) -> None:
    found = buffers_after(example("uncertainty"), heads=heads)
    assert {int(value) for key, value in found.items() if "num_batches_tracked" in key} == {2}
