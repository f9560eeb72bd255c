"""What training says of numbers that are not finite: of which task or weighting, since when, and what may mend it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mtlbench.core.errors import Diverged
from mtlbench.core.task import Data, Split
from mtlbench.learners.loops.trace import CHUNK, Trace
from mtlbench.optim import OPTIMIZERS
from mtlbench.weightings.base import Shown
from mtlbench.weightings.losses import Equal
from tests.learners.test_gradient import train
from tests.toy_data import NAMES, make


class Overflowing(Equal):
    """Weights of 1, but for the second task's, which overflows at the third step."""

    def weigh(self, shown: Shown, state: Any) -> tuple[torch.Tensor, Any]:
        """1e20, 1e30 and infinity, of which the first two change nothing, since Adam divides them out."""
        steps = state if isinstance(state, int) else 0
        return torch.tensor([1.0, 10.0 ** (20 + 10 * steps), 1.0]), steps + 1


def spoilt(split: str, task: str, value: float) -> Data:
    """Toy data with a value in all labels of a task in one split."""
    data = make()
    part = getattr(data, split)
    assert isinstance(part, Split)
    wrong = replace(part, targets={**part.targets, task: np.full_like(part.targets[task], value)})
    return replace(data, train=wrong) if split == "train" else replace(data, validation=wrong)


def said(**changes: Any) -> str:
    with pytest.raises(Diverged) as caught:
        train(**changes)
    return str(caught.value)


def test_the_weighting_is_named_with_its_task() -> None:
    text = said(weighting=Overflowing())
    assert text.startswith("weighting 'tests.learners.loops.test_divergence:Overflowing': expected a finite weight")
    assert f"of task '{NAMES[1]}', got none in epoch 1, step 3, from finite losses" in text
    assert "lr" not in text


def test_before_the_first_step_the_data_are_to_blame() -> None:
    for split, when in (("validation", "before the first step"), ("train", "in epoch 1, step 1, before anything")):
        text = said(data=spoilt(split, "sum.total", float("nan")))
        assert text.startswith("task 'sum.total': expected a finite ")
        assert when in text
        assert f"the {'training' if split == 'train' else split} split" in text
        assert "lr" not in text


def test_later_it_may_be_the_learning_rate() -> None:
    text = said(optimizer=OPTIMIZERS.build({"name": "sgd", "lr": 1e12}))
    assert "lower the optimizer's lr (now 1e+12)" in text
    assert "weighting" not in text


@pytest.mark.parametrize("steps", [1, CHUNK - 1, CHUNK, 2 * CHUNK + 3])
def test_an_epoch_is_the_mean_of_its_steps(steps: int) -> None:
    draw, trace = torch.Generator().manual_seed(steps), Trace(3, torch.device("cpu"))
    for _ in range(2):  # the second is an epoch of its own
        losses, weights = torch.rand(2, steps, 3, generator=draw)
        counts = torch.randint(0, 5, (steps, 3), generator=draw)
        for step in range(steps):
            trace.add(losses[step], counts[step].float(), weights[step].double())
        ended = trace.end()
        expected = (losses.double() * counts).sum(0) / counts.sum(0).clamp(min=1)
        assert ended.losses == pytest.approx(expected.tolist(), rel=1e-12)
        assert ended.weights == pytest.approx(weights.double().mean(0).tolist(), rel=1e-12)
        assert ended.lossless == ended.weightless == [0, 0, 0]


@pytest.mark.parametrize("first", [0, CHUNK - 1, CHUNK, CHUNK + 7])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_the_first_step_that_was_not_finite_is_found(first: int, value: float) -> None:
    trace, ones = Trace(3, torch.device("cpu")), torch.ones(3)
    for step in range(CHUNK + 9):
        bad = torch.tensor([1.0, value, 1.0]) if step in (first, first + 1) else ones
        trace.add(bad, ones, bad.flip(0) if step > first else ones)
    ended = trace.end()
    assert ended.lossless == [0, first + 1, 0]
    assert ended.weightless == [0, first + 2, 0]
