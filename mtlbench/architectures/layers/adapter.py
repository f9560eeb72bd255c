"""Module of the adapters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..trunks import affine


class Adapter(nn.Module):
    """z + U relu(D z + d) + u, U and u zero at the start."""

    def __init__(self, width: int, bottleneck: int, rank: int) -> None:
        super().__init__()
        self.down, self.up = affine(width, bottleneck, rank), affine(bottleneck, width, rank)
        for parameter in self.up.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        """[B, width, *positions] to the same."""
        adapted: Tensor = features + self.up(torch.relu(self.down(features)))
        return adapted
