"""Task gradients of every kind that a weighting must survive."""

from __future__ import annotations

import torch
from torch import Tensor

PAIR = torch.tensor([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]])  # G = [[18, -22], [-22, 38]]
SCALES = (0.0, 1e-10, 1e-3, 1.0, 1e5, 1e15)


def matrices(tasks: int, columns: int = 20, seed: int = 0) -> dict[str, Tensor]:
    """J [T, n]: in general position, in conflict, stationary, dependent, and with a task that has no gradient."""
    draw = torch.Generator().manual_seed(100 * tasks + columns + seed)
    usual = torch.randn(tasks, columns, generator=draw)
    balanced = usual - usual.mean(0)  # the mean gradient is 0: no direction helps all
    opposed = usual.clone()
    opposed[-1] = -0.5 * usual[0]
    silent = usual.clone()
    silent[0] = 0
    return {
        "usual": usual,
        "conflicting": usual - 0.9 * usual.mean(0),
        "stationary": balanced,
        "opposed": opposed,
        "dependent": usual[:, :2] if tasks > 2 else torch.cat([usual[:1], 2 * usual[:1]]),
        "silent": silent,
        "alike": usual[:1].expand(tasks, -1),
        "unlike scales": usual * torch.logspace(-3, 3, tasks).unsqueeze(1),
    }
