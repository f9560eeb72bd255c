"""On a GPU every engine trains as eager does on the CPU, recorded steps included."""

from __future__ import annotations

import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.engine import TABLE
from mtlbench.engine.batches import training_batches
from mtlbench.engine.graph import GraphedStep, graphed
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.optim import OPTIMIZERS
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests.toy_data import NAMES, make

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def follow(engine: str, device: str, form: str, weighting: str) -> torch.Tensor:
    """The task losses of every step of six epochs."""
    data, built, place = make(form), TABLE.build({"name": engine}), torch.device(device)
    if built.check(place.type):
        pytest.skip("; ".join(built.check(place.type)))
    model = Model(ARCHITECTURES.build({"name": "shared"}), data.outline, 0).to(place)
    method = WEIGHTINGS.build({"name": weighting})
    state = method.start(NAMES, place)
    optimizer = OPTIMIZERS.build({"name": "adam", "lr": 0.02})
    torch_optimizer = optimizer.build(model.parameters(), method.parameters(state), built.recipe.update)
    step = graphed(Step(built, model, data.outline, method, state, torch_optimizer))
    assert isinstance(step, GraphedStep) == (built.recipe.wrapper == "graph")
    batches = training_batches(data.train, NAMES, 20, 0, place)
    losses = []
    for epoch in range(1, 7):
        losses += [step(batch)[0].cpu().clone() for batch in batches.epoch(epoch)]
        step.end_epoch()
    return torch.stack(losses)


@pytest.mark.parametrize("weighting", ["equal", "uncertainty"])
@pytest.mark.parametrize("form", ["shared", "masked", "sets"])
@pytest.mark.parametrize("engine", TABLE)
def test_the_loss_curve_is_that_of_eager_on_the_cpu(engine: str, form: str, weighting: str) -> None:
    found = follow(engine, "cuda", form, weighting)
    torch.testing.assert_close(found, follow("eager", "cpu", form, weighting), rtol=2e-3, atol=1e-4)
