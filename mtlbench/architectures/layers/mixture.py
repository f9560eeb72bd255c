"""Modules of the mixtures of experts."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from ..trunks.base import Form


class Experts(nn.Module):
    """The features of several trunks: [B, *shape] to [B, E, ...]."""

    def __init__(self, trunks: list[nn.Sequential]) -> None:
        super().__init__()
        self.trunks = nn.ModuleList(trunks)

    def forward(self, inputs: Tensor) -> Tensor:
        """The features of all trunks, stacked."""
        return torch.stack([trunk(inputs) for trunk in self.trunks], 1)


class GatedHead(nn.Module):
    """Output of one task: head(sum_e gate(x)_e z_e), the task's own experts in front of the shared ones."""

    def __init__(self, gate: nn.Module, head: nn.Module, own: Experts | None = None) -> None:
        super().__init__()
        self.gate, self.own, self.head = gate, own, head  # the head last, as in all task-specific modules

    def forward(self, inputs: Tensor, experts: Tensor) -> Tensor:
        """Inputs [B, *shape] and the shared experts' features [B, E, ...] to the output."""
        if self.own is not None:
            experts = torch.cat([self.own(inputs), experts], 1)
        output: Tensor = self.head(mix(self.gate(inputs), experts))
        return output


def softmax_gate(form: Form, experts: int) -> nn.Module:
    """softmax(V x), without bias: [B, *shape] to [B, E]. For token ids, V x is the mean of columns, padding aside."""
    if form.vocabulary:
        table = nn.EmbeddingBag(form.vocabulary, experts, mode="mean", padding_idx=0)
        return nn.Sequential(table, nn.Softmax(1))
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(form.shape), experts, bias=False), nn.Softmax(1))


def mix(weights: Tensor, experts: Tensor) -> Tensor:
    """sum_e w_e z_e: weights [B, E] and features [B, E, ...] to [B, ...]."""
    return (weights.reshape(*weights.shape, *[1] * (experts.dim() - 2)) * experts).sum(1)
