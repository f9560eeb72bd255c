"""Task gradients of every kind that a weighting must survive, and steps along them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlbench.ops.gramian import dot_products
from mtlbench.weightings import TABLE
from mtlbench.weightings.base import Need, Shown, Weighting

PAIR = torch.tensor([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]])  # G = [[18, -22], [-22, 38]]
SCALES = (0.0, 1e-10, 1e-3, 1.0, 1e5, 1e15)
TASKS = ("a", "b", "c")
CPU = torch.device("cpu")


def matrices(tasks: int, columns: int = 20, seed: int = 0) -> dict[str, Tensor]:
    """J [T, n] in float32: in general position, in conflict, stationary (strongly: 0 is a combination with all weights
    positive; weakly: with some), dependent, with a task that has no gradient, and of unlike scales.
    """
    draw = torch.Generator().manual_seed(100 * tasks + columns + seed)
    usual = torch.randn(tasks, columns, generator=draw)
    shares = torch.rand(tasks, generator=draw) + 0.1
    uneven = usual.clone()
    uneven[-1] = -(shares[:-1] @ usual[:-1]) / shares[-1]
    opposed = usual.clone()
    opposed[-1] = -0.5 * usual[0]
    silent = usual.clone()
    silent[0] = 0
    conflicting = usual - 0.9 * usual.mean(0)
    return {
        "usual": usual,
        "conflicting": conflicting,
        "strongly stationary": usual - usual.mean(0),  # of the plain mean
        "strongly stationary, unevenly": uneven,
        "weakly stationary": opposed,
        "dependent": usual[:, :2] if tasks > 2 else torch.cat([usual[:1], 2 * usual[:1]]),
        "dependent, all gaining": usual[:, :2].abs() if tasks > 2 else torch.cat([usual[:1], 2 * usual[:1]]),
        "silent": silent,
        "alike": usual[:1].expand(tasks, -1),
        "unlike scales": usual * torch.logspace(-3, 3, tasks).unsqueeze(1),
        "wild scales": conflicting * torch.logspace(-12, 12, tasks).unsqueeze(1),
    }


def build(name: str, **parameters: Any) -> Weighting:
    """The weighting of this name, from its example."""
    built = TABLE.build({"name": name, **TABLE.load(name).example(), **parameters})
    assert isinstance(built, Weighting)
    return built


def shown(weighting: Weighting, jacobian: Tensor, losses: Tensor | None = None, crossed: Tensor | None = None) -> Shown:
    """What the weighting sees of these gradients and no more. If not given, the losses are the gradients' lengths, and
    both halves of the batch have the same gradients.
    """
    products = dot_products(jacobian, jacobian)
    lengths = (products.diagonal().sqrt() + 0.1).to(jacobian.dtype)
    return Shown(
        lengths if losses is None else losses,
        products if Need.GRAMIAN in weighting.needs else None,
        jacobian if Need.JACOBIAN in weighting.needs else None,
        (products if crossed is None else crossed) if Need.CROSSED in weighting.needs else None,
    )


def descend(
    weighting: Weighting, jacobians: list[Tensor], losses: Tensor | None = None, seed: int | None = 0
) -> list[tuple[Tensor, Tensor]]:
    """Weights and directions along some steps."""
    if seed is not None:
        torch.manual_seed(seed)
    state, found = weighting.start(TASKS[: len(jacobians[0])], CPU), []
    for jacobian in jacobians:
        weights, state = weighting.weigh(shown(weighting, jacobian, losses), state)
        found.append((weights, weighting.combine(jacobian, weights, state)))
    return found
