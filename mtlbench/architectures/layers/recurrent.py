"""The module behind the recurrent trunks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..trunks.base import Form
from .sequences import Embedded, features_of

Cell = Callable[..., nn.RNNBase]  # nn.LSTM or nn.GRU


class Recurrent(nn.Module):
    """Embedding and recurrent layers, each in one or both directions; padding is at the end of a row."""

    def __init__(
        self, cell: Cell, form: Form, embedding: int, hidden: tuple[int, ...], bidirectional: bool, dropout: float
    ) -> None:
        super().__init__()
        self.embedded, self.rank = Embedded(form, embedding), form.rank
        self.layers = nn.ModuleList()
        features = self.embedded.size
        for size in hidden:
            self.layers.append(_Layer(cell, features, size, bidirectional))
            features = size * (1 + bidirectional)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features of rows, or of rows and tokens."""
        states, valid = self.embedded(inputs)
        backwards = _reversal(valid)
        for layer in self.layers:
            states = self.dropout(layer(states, backwards))
        return features_of(states, valid, self.rank)


class _Layer(nn.Module):
    """One layer: left to right and, if bidirectional, right to left from the last token before the padding."""

    def __init__(self, cell: Cell, inputs: int, size: int, bidirectional: bool) -> None:
        super().__init__()
        self.rightwards = cell(inputs, size, batch_first=True)
        self.leftwards = cell(inputs, size, batch_first=True) if bidirectional else None

    def forward(self, states: Tensor, backwards: Tensor) -> Tensor:
        """[B, length, inputs] to [B, length, size of all directions]."""
        rightwards: Tensor = self.rightwards(states)[0]
        if self.leftwards is None:
            return rightwards
        leftwards = _reorder(self.leftwards(_reorder(states, backwards))[0], backwards)
        return torch.cat([rightwards, leftwards], 2)


def _reversal(valid: Tensor) -> Tensor:
    """Positions [B, length] that reverse each row's tokens and leave its padding at the end."""
    lengths = valid.sum(1, keepdim=True)
    position = torch.arange(valid.shape[1], device=valid.device).expand_as(valid)
    return torch.where(position < lengths, lengths - 1 - position, position)


def _reorder(states: Tensor, positions: Tensor) -> Tensor:
    return states.gather(1, positions.unsqueeze(2).expand_as(states))
