"""What the check of the losses' gradients lets pass, and what not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mtlbench.core.losses import LOSSES
from mtlbench.kernels.base import Contender, Wrong
from mtlbench.kernels.losses import TaskLosses
from mtlbench.ops.eager_losses import per_task_losses


def eager(kind: str, outputs: str) -> Contender:
    return TaskLosses.from_plain({"outputs": outputs, "kind": kind}).prepare(torch.device("cpu"))["eager"]()


@pytest.mark.parametrize("outputs", ["2 x 64x1", "1 x 1x1", "2 x 64x2", "1 x 8x3x5", "1 x 2048x1"])
def test_rounding_is_right_where_the_exact_gradient_vanishes(outputs: str) -> None:
    """The cosine of two numbers is 1 or -1, whatever they are."""
    contender = eager("cosine", outputs)
    contender.call()
    contender.check(1)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_thousandth_too_much_is_wrong(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(outputs: list[torch.Tensor], *others: Any, **more: Any) -> torch.Tensor:
        losses = per_task_losses(outputs, *others, **more)
        return losses if losses.dtype == torch.float64 else 1.001 * losses  # the reference is right

    monkeypatch.setattr("mtlbench.ops.eager_losses.per_task_losses", too_much)
    contender = eager(kind, "2 x 64x5")
    contender.call()
    with pytest.raises(Wrong):
        contender.check(1)
