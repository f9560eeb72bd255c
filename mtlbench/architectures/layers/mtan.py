"""Modules of the multi-task attention network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class Maps(nn.Module):
    """The features after every block of a chain."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor) -> list[Tensor]:
        """One map per block."""
        maps = []
        for block in self.blocks:
            images = block(images)
            maps.append(images)
        return maps


class Attention(nn.Module):
    """One task's masks on the shared maps (channels, height, width), block by block, to the last masked map."""

    def __init__(self, maps: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        channels = [size for size, _, _ in maps]
        self.masks = nn.ModuleList(
            _mask(size if number == 0 else 2 * size, size) for number, size in enumerate(channels)
        )
        self.passes = nn.ModuleList(
            nn.Sequential(nn.Conv2d(low, high, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(after[1:]))
            for (low, high), after in zip(pairwise(channels), maps[1:], strict=True)
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The shared maps of every block to the task's features [B, channels, H, W]."""
        masked: Tensor = self.masks[0](maps[0]) * maps[0]
        for mask, onward, features in zip(self.masks[1:], self.passes, maps[1:], strict=True):
            masked = mask(torch.cat([features, onward(masked)], 1)) * features
        return masked

    def then(self, layers: list[nn.Module]) -> nn.Sequential:
        """The attention and what follows it."""
        return nn.Sequential(self, *layers)


def _mask(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.ReLU(), nn.Conv2d(outputs, outputs, 1), nn.Sigmoid())
