"""Modules of the image trunks."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    """A padded convolution without bias, which would be redundant, and batch normalisation."""
    return [
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Residual(nn.Module):
    """relu(shortcut(z) + norm(conv(relu(norm(conv z)))))."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            *convolution(inputs, outputs, stride=stride), nn.ReLU(), *convolution(outputs, outputs)
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*convolution(inputs, outputs, 1, stride))

    def forward(self, maps: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""
        return torch.relu(self.shortcut(maps) + self.inner(maps))


class EncoderDecoder(nn.Module):
    """Levels down and up again, with skip connections between levels of the same size."""

    def __init__(self, inputs: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        above = (inputs, *channels[:-1])
        self.down = nn.ModuleList(_level(low, high) for low, high in zip(above, channels, strict=True))
        pairs = list(pairwise(channels))[::-1]
        self.up = nn.ModuleList(_level(low + high, low) for low, high in pairs)

    def forward(self, images: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, channels[0], H, W]."""
        passed: list[Tensor] = []
        maps = images
        for level in self.down:
            maps = level(max_pool2d(maps, 2) if passed else maps)
            passed.append(maps)
        for level, beside in zip(self.up, passed[-2::-1], strict=True):
            larger = interpolate(maps, size=beside.shape[2:], mode="bilinear")
            maps = level(torch.cat([beside, larger], 1))
        return maps


def _level(inputs: int, outputs: int) -> nn.Sequential:
    first, second = convolution(inputs, outputs), convolution(outputs, outputs)
    return nn.Sequential(*first, nn.ReLU(), *second, nn.ReLU())
