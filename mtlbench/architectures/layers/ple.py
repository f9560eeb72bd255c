"""Modules of progressive layered extraction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..trunks import affine
from .mixture import Experts, mix


class Level(nn.Module):
    """One level of experts; the last of ``experts`` and of ``gates`` are the shared ones."""

    def __init__(self, experts: list[Experts], gates: list[nn.Module]) -> None:
        super().__init__()
        self.experts, self.gates = nn.ModuleList(experts), nn.ModuleList(gates)

    def forward(self, states: list[Tensor]) -> list[Tensor]:
        """The tasks' features and, last, the shared ones, to those of the next level."""
        features = [experts(state) for experts, state in zip(self.experts, states, strict=True)]
        mixable = [
            *(torch.cat([task_features, features[-1]], 1) for task_features in features[:-1]),
            torch.cat(features, 1),
        ]
        return [mix(gate(state), part) for gate, state, part in zip(self.gates, states, mixable, strict=True)]


class Extraction(nn.Module):
    """Levels, and the shared experts of the last one."""

    def __init__(self, names: tuple[str, ...], levels: list[Level], last: Experts) -> None:
        super().__init__()
        self.names, self.levels, self.last = names, nn.ModuleList(levels), last

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """The tasks' features [B, ...] and, last, the last level's shared experts' [B, E, ...]."""
        states = [inputs] * (len(self.names) + 1)
        for level in self.levels:
            states = level(states)
        return [*states[:-1], self.last(states[-1])]


class _OverPositions(nn.Module):
    """[B, F, *positions] to [B, F]: the mean."""

    def forward(self, features: Tensor) -> Tensor:
        """The mean over positions."""
        return features.flatten(2).mean(2) if features.dim() > 2 else features


def feature_gate(width: int, experts: int) -> nn.Module:
    """softmax(V f), without bias: [B, width, *positions] to [B, E]."""
    return nn.Sequential(_OverPositions(), nn.Linear(width, experts, bias=False), nn.Softmax(1))


def layer_experts(width: int, count: int, rank: int) -> Experts:
    """Experts relu(W f + b) of features."""
    return Experts([nn.Sequential(affine(width, width, rank), nn.ReLU()) for _ in range(count)])
