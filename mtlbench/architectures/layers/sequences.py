"""Parts of the trunks for sequences: embeddings, the mean over tokens without padding, columns of rows and tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..trunks.base import Form


class Embedded(nn.Module):
    """Token ids [B, length] to vectors [B, length, size], and which tokens are no padding (id 0), bool [B, length].

    Sequences of numbers are passed through, without padding.
    """

    def __init__(self, form: Form, size: int) -> None:
        super().__init__()
        self.table = nn.Embedding(form.vocabulary, size, padding_idx=0) if form.vocabulary else None
        self.size = size if form.vocabulary else form.shape[1]

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors, and which positions are valid."""
        if self.table is None:
            return inputs, torch.ones(inputs.shape[:2], dtype=torch.bool, device=inputs.device)
        return self.table(inputs), inputs != 0


def mean_of_valid(states: Tensor, valid: Tensor) -> Tensor:
    """[B, length, F] to [B, F]: the mean over valid positions; 0 for a row without any."""
    weights = valid.to(states.dtype).unsqueeze(2)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def features_of(states: Tensor, valid: Tensor, rank: int) -> Tensor:
    """[B, length, F] to [B, F], or to [B, F, 1 + length] if tokens have labels: first the row, then its tokens."""
    row = mean_of_valid(states, valid)
    return row if rank == 0 else torch.cat([row.unsqueeze(1), states], 1).transpose(1, 2)


class Row(nn.Module):
    """[B, F, 1 + length] to the whole row's features [B, F]."""

    def forward(self, features: Tensor) -> Tensor:
        """The first column."""
        return features[..., 0]


class Tokens(nn.Module):
    """[B, F, 1 + length] to the tokens' features [B, F, length]."""

    def forward(self, features: Tensor) -> Tensor:
        """All columns but the first."""
        return features[..., 1:]
