"""Modules of the towers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Towers(nn.Module):
    """Parallel towers, then dense layers."""

    def __init__(self, towers: Mapping[str, list[nn.Module]], dense: nn.Module) -> None:
        super().__init__()
        self.names, self.dense = tuple(towers), dense
        self.towers = nn.ModuleList(nn.Sequential(*blocks, nn.Flatten()) for blocks in towers.values())

    def forward(self, inputs: Tensor | Mapping[str, Tensor]) -> Tensor | dict[str, Tensor]:
        """Images of all tasks [B, ...] to features [B, width], or {task: images} to {task: features}."""
        if not isinstance(inputs, Mapping):
            features: Tensor = self.dense(torch.cat([tower(inputs) for tower in self.towers], 1))
            return features
        tower_features = [tower(inputs[name]) for name, tower in zip(self.names, self.towers, strict=True)]
        sizes = [len(features) for features in tower_features]
        together = self.dense(torch.cat([_cycled(features, max(sizes)) for features in tower_features], 1))
        return {name: together[:size] for name, size in zip(self.names, sizes, strict=True)}


def _cycled(features: Tensor, rows: int) -> Tensor:
    """Exactly ``rows`` rows, repeated from the first if there are fewer; zeros if there are none."""
    if len(features) == rows:
        return features
    if len(features) == 0:
        return features.new_zeros(rows, features.shape[1])
    return features[torch.arange(rows, device=features.device) % len(features)]
