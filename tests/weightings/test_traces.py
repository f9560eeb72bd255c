"""Fifty steps of every weighting that remembers, against its form in NumPy; a new one without a form is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from mtlbench.ops.gramian import dot_products
from mtlbench.weightings import TABLE
from mtlbench.weightings.base import Need, Weighting
from tests import entries
from tests.weightings.jacobians import CPU, TASKS, build, descend, matrices, shown
from tests.weightings.papers import FORMS, SGD, Seen

STEPS = 50


def stream(losses: float, gradients: float, seed: int = 3) -> Iterator[tuple[Seen, Tensor, Tensor, Tensor, Tensor]]:
    """Steps whose losses fall at unlike rates and whose gradients turn slowly, in both forms: as tensors (losses before
    and after and J in float32, J_1 J_2^T), and as the same numbers in float64. Torch's generator is set for each step's
    draws.
    """
    draw = torch.Generator().manual_seed(seed)
    rates = torch.tensor([0.01, 0.03, 0.1])
    turning = torch.randn(3, 12, generator=draw)

    def noise() -> Tensor:
        return torch.randn(3, 12, generator=draw)

    for step in range(STEPS):
        before, after = (
            losses
            * torch.tensor([1.0, 2.0, 0.5])
            * (-rates * (step + late)).exp()
            * (1 + 0.2 * torch.rand(3, generator=draw))
            for late in (0, 1)
        )
        turning = 0.8 * turning + 0.6 * noise()
        lengths = gradients * torch.tensor([[1.0], [0.2], [4.0]])
        j = lengths * turning
        crossed = dot_products(j + 0.3 * lengths * noise(), j + 0.3 * lengths * noise())
        torch.manual_seed(step)
        order = torch.rand(3, 3, dtype=torch.float32).fill_diagonal_(2.0).argsort(1)[:, :-1]
        torch.manual_seed(step)
        arrays = (x.double().numpy() for x in (before, after, j, crossed, order))
        yield Seen(step % 5 == 4, *arrays), before, after, j, crossed


def trace(weighting: Weighting, losses: float, gradients: float) -> Iterator[tuple[Tensor, Tensor, Seen]]:
    """The weighting's own lambda and direction along the stream."""
    state = weighting.start(TASKS, CPU)
    parameters = list(weighting.parameters(state))
    optimizer = torch.optim.SGD(parameters, SGD) if parameters else None
    for seen, before, after, jacobian, crossed in stream(losses, gradients):
        weights, state = weighting.weigh(shown(weighting, jacobian, before, crossed), state)
        weights = weights.clone()
        yield weights, weighting.combine(jacobian, weights, state), seen
        if optimizer:
            optimizer.step()
            optimizer.zero_grad()
        if Need.LOSSES_AFTER in weighting.needs:
            state = weighting.after_step(after, state)
        if seen.ends_epoch:
            state = weighting.after_epoch(state)


@pytest.mark.parametrize("losses", [1e-3, 30.0])
@pytest.mark.parametrize("gradients", [1e-12, 1.0, 1e6])
@pytest.mark.parametrize("name", FORMS)
def test_fifty_steps_are_the_papers(name: str, losses: float, gradients: float) -> None:
    kind, parameters = FORMS[name]
    form = kind(3)
    for step, (weights, direction, seen) in enumerate(trace(build(name, **parameters), losses, gradients)):
        assert weights.dtype == torch.float32
        expected = form.step(seen)
        descended = form.direction(seen, expected)
        np.testing.assert_allclose(weights.numpy(), expected, rtol=2e-3, atol=1e-5, err_msg=f"step {step}")
        np.testing.assert_allclose(direction.numpy(), descended, rtol=0, atol=2e-3 * np.abs(descended).max())


def remembers(name: str) -> bool:
    """Whether what came before changes the weights of a step."""
    weighting, jacobians = build(name), [matrices(3, seed=seed)["usual"] for seed in range(4)]
    if entries.weighting(name).learned:
        return True
    state = weighting.start(TASKS, CPU)
    losses = torch.tensor([1.0, 2.0, 3.0])
    for jacobian in jacobians:
        torch.manual_seed(0)
        last, state = weighting.weigh(shown(weighting, jacobian, losses), state)
        state = weighting.after_epoch(weighting.after_step(losses / torch.tensor([2.0, 3.0, 4.0]), state))
        losses = losses * torch.tensor([0.5, 0.7, 0.9])
    fresh, _ = descend(weighting, jacobians[-1:], losses / torch.tensor([0.5, 0.7, 0.9]))[0]
    return not torch.allclose(last, fresh)


@pytest.mark.parametrize("name", TABLE)
def test_what_remembers_has_a_form_of_its_own(name: str) -> None:
    assert name in FORMS or not remembers(name)
