"""Gate of DSelect-k."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SelectingGate(nn.Module):
    """Weights over E experts, the same for every row, from k codes of log2(E) smooth bits."""

    codes: Tensor

    def __init__(self, experts: int, selected: int, gamma: float) -> None:
        super().__init__()
        bits = experts.bit_length() - 1
        self.gamma = gamma
        self.bits = nn.Parameter(torch.empty(selected, bits).uniform_(-gamma / 100, gamma / 100))
        self.shares = nn.Parameter(torch.empty(selected).uniform_(-0.05, 0.05))
        codes = torch.arange(experts).unsqueeze(1) >> torch.arange(bits) & 1
        self.register_buffer("codes", codes.bool(), persistent=False)

    def choices(self) -> Tensor:
        """r(z_i) [k, E]."""
        z = (self.bits / self.gamma).clamp(-0.5, 0.5)
        step = (-2 * z**3 + 1.5 * z + 0.5).unsqueeze(1)
        return torch.where(self.codes, step, 1 - step).prod(2)

    def forward(self, inputs: Tensor) -> Tensor:
        """q [B, E]."""
        weights = self.shares.softmax(0) @ self.choices()
        return weights.expand(len(inputs), -1)


def entropy(gate: nn.Module) -> Tensor:
    """sum_i H(r(z_i)) of a SelectingGate; 0 if every code is one-hot."""
    assert isinstance(gate, SelectingGate)
    total: Tensor = torch.special.entr(gate.choices().clamp(min=1e-12)).sum()
    return total
