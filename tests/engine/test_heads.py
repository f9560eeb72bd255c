"""When linear heads go through step_heads_; that the losses are eager's is the contract of all engines."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mtlbench.engine import TABLE
from mtlbench.engine.heads import LinearHeads
from mtlbench.engine.model import Model
from mtlbench.ops import backend
from mtlbench.optim import OPTIMIZERS
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests.contracts import test_engines as contract
from tests.toy_data import NAMES, make
from tests.toy_forms import fitted

needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)


def heads_of(
    engine: str = "fused", architecture: str = "shared", weighting: str = "equal", optimizer: str = "adam"
) -> LinearHeads | None:
    data, built = make("shared"), TABLE.build({"name": engine})
    fitting = fitted(architecture, data.outline)
    assert fitting is not None
    model = Model(fitting, data.outline, 0)
    method = WEIGHTINGS.build({"name": weighting})
    update = OPTIMIZERS.build({"name": optimizer})
    weights = method.parameters(method.start(NAMES, torch.device("cpu")))
    torch_optimizer = update.build(model.parameters(), weights, built.recipe.update)
    return LinearHeads.of(built, model, data.outline, method, torch_optimizer)


@needs_kernels
@pytest.mark.parametrize("chosen", [{}, {"optimizer": "adamw"}, {"weighting": "sum"}], ids=str)
def test_linear_heads_whose_weights_are_known_before(chosen: dict[str, str]) -> None:
    assert heads_of(**chosen) is not None


@pytest.mark.parametrize(
    "chosen",
    [{"engine": "torch_fused"}, {"weighting": "uncertainty"}, {"architecture": "mmoe"}, {"engine": "fused_graph"}],
    ids=str,
)
def test_all_else_goes_the_long_way(chosen: dict[str, str]) -> None:
    assert heads_of(**chosen) is None


@needs_kernels
def test_every_step_takes_it_unless_there_is_a_penalty_or_another_factor_for_heads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = []
    call = LinearHeads.__call__

    def counted(self: LinearHeads, *arguments: Any) -> torch.Tensor:
        taken.append(1)
        return call(self, *arguments)

    monkeypatch.setattr(LinearHeads, "__call__", counted)
    steps = len(contract.curve("fused"))
    assert len(taken) == steps
    contract.curve("fused", penalty="l2")
    assert len(taken) == steps
    contract.curve("fused", weighting="sum", heads="weighted")
    assert len(taken) == 2 * steps
    contract.curve("fused", weighting="sum")  # the kernel knows one factor a task, for head and trunk
    assert len(taken) == 2 * steps
