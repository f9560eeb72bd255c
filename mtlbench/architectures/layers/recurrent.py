"""The module behind the recurrent trunks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..trunks.base import Form
from .sequences import Embedded, features_of


class Recurrent(nn.Module):
    """Embedding and recurrent layers, each in one or both directions; padding stands at the end of a row."""

    def __init__(
        self,
        cell: type[nn.RNNBase],
        form: Form,
        embedding: int,
        hidden: tuple[int, ...],
        bidirectional: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedded, self.rank = Embedded(form, embedding), form.rank
        self.directions = nn.ModuleList()
        features = self.embedded.size
        for size in hidden:
            both = [cell(features, size, batch_first=True) for _ in range(1 + bidirectional)]
            self.directions.append(nn.ModuleList(both))
            features = size * len(both)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features of rows, or of rows and tokens."""
        states, known = self.embedded(inputs)
        backwards = _reversal(known)
        for layer in self.directions:
            found = [layer[0](states)[0]]
            for other in list(layer)[1:]:
                found.append(_reorder(other(_reorder(states, backwards))[0], backwards))
            states = self.dropout(torch.cat(found, 2))
        return features_of(states, known, self.rank)


def _reversal(known: Tensor) -> Tensor:
    """Positions [B, length] that turn each row's known tokens round and leave its padding at the end."""
    lengths = known.sum(1, keepdim=True)
    position = torch.arange(known.shape[1], device=known.device).expand_as(known)
    return torch.where(position < lengths, lengths - 1 - position, position)


def _reorder(states: Tensor, positions: Tensor) -> Tensor:
    return states.gather(1, positions.unsqueeze(2).expand_as(states))
