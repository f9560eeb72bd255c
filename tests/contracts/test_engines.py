"""Every engine trains as eager does, on every architecture and form of problem."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.engine import TABLE
from mtlbench.engine.batches import training_batches
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.optim import OPTIMIZERS
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests.toy_data import NAMES, make

CPU = torch.device("cpu")
WITHOUT_EAGER = sorted(set(TABLE) - {"eager"})


def curve(engine: str, form: str, architecture: dict[str, Any], optimizer: str, batch_size: int = 16) -> torch.Tensor:
    """The task losses of every step of two epochs."""
    data, weighting = make(form), WEIGHTINGS.build({"name": "famo"})
    built = TABLE.build({"name": engine})
    if built.check("cpu"):
        pytest.skip("; ".join(built.check("cpu")))
    torch.manual_seed(0)
    model = Model(ARCHITECTURES.build(architecture), data.outline, 0)
    state = weighting.start(NAMES, CPU)
    update = OPTIMIZERS.build({"name": optimizer, "lr": 0.02})
    torch_optimizer = update.build(model.parameters(), weighting.parameters(state), built.choices.update)
    step = Step(built, model, data.outline, weighting, state, torch_optimizer)
    batches = training_batches(data.train, NAMES, batch_size, 0, CPU)
    return torch.stack([step(batch)[0] for epoch in (1, 2) for batch in batches.epoch(epoch)])


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile up to the point where it would call a C++ compiler, which takes many seconds."""
    compile_: Callable[..., Any] = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, fullgraph, options: compile_(f, backend="eager", fullgraph=fullgraph))


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("engine", WITHOUT_EAGER)
@pytest.mark.parametrize("form", ["shared", "masked", "sets"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_loss_curve_is_eagers(engine: str, form: str, name: str) -> None:
    architecture = {"name": name, "dropout": 0.2} if name in ("shared", "single") else {"name": name}
    follow = partial(curve, form=form, architecture=architecture, optimizer="adam")
    torch.testing.assert_close(follow(engine), follow("eager"), rtol=1e-4, atol=1e-5)
    torch.compiler.reset()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("engine", WITHOUT_EAGER)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_has_every_update(engine: str, optimizer: str) -> None:
    follow = partial(curve, form="shared", architecture={"name": "shared"}, optimizer=optimizer)
    torch.testing.assert_close(follow(engine), follow("eager"), rtol=1e-4, atol=1e-5)
    torch.compiler.reset()


def test_compiled_code_computes_what_eager_does() -> None:
    follow = partial(curve, form="shared", architecture={"name": "shared", "dropout": 0.2}, optimizer="adam", batch_size=60)
    torch.testing.assert_close(follow("compiled"), follow("eager"), rtol=1e-4, atol=1e-5)
    torch.compiler.reset()
