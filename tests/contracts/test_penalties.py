"""Every row of the table of penalties, on the trunk and the heads of a network."""

from __future__ import annotations

import pytest
import torch

from mtlbench.architectures.shared import Shared
from mtlbench.engine.model import Model
from mtlbench.penalties import TABLE
from mtlbench.penalties.base import Penalty
from tests.toy_data import make

OUTLINE = make().outline


@pytest.fixture(params=TABLE)
def penalty(request: pytest.FixtureRequest) -> Penalty:
    built = TABLE.build({"name": request.param, **TABLE.load(request.param).example()})
    assert isinstance(built, Penalty)
    assert built.check(OUTLINE, common=True) == []
    return built


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 1e4])
def test_its_term_is_a_finite_scalar_with_finite_gradients(penalty: Penalty, scale: float) -> None:
    model = Model(Shared(), OUTLINE, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    term = penalty.term(*model.trunk_and_heads())
    if term is None:
        return
    assert term.shape == ()
    assert term.isfinite()
    assert term >= 0
    term.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_its_covariance_is_one_of_all_outputs(penalty: Penalty) -> None:
    covariance = penalty.covariance(Model(Shared(), OUTLINE, 0).trunk_and_heads()[1])
    if covariance is not None:
        outputs = sum(task.outputs for task in OUTLINE.tasks)
        assert covariance.shape == (outputs, outputs)
        torch.testing.assert_close(covariance, covariance.T)
        assert torch.linalg.eigvalsh(covariance).min() > -1e-6
