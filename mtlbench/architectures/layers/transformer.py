"""Modules of the transformer trunk."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from ..trunks.base import Form
from .sequences import Embedded, features_of


class Encoder(nn.Module):
    """Embedding, positions, layers and a final norm."""

    def __init__(self, form: Form, width: int, hidden: tuple[int, ...], heads: int, dropout: float) -> None:
        super().__init__()
        self.embedded, self.rank = Embedded(form, width), form.rank
        self.project = nn.Identity() if form.vocabulary else nn.Linear(self.embedded.size, width)
        self.layers = nn.ModuleList(_Layer(width, size, heads, dropout) for size in hidden)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("sines", _sines(form.shape[0], width), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features of rows, or of rows and tokens."""
        vectors, valid = self.embedded(inputs)
        states = self.project(vectors) + self.sines
        attended = valid.clone()
        attended[:, 0] = True  # a row of padding only must attend to something, as a softmax over nothing is NaN
        for layer in self.layers:
            states = layer(states, attended[:, None, None, :])
        return features_of(self.norm(states), valid, self.rank)


class _Layer(nn.Module):
    """Attention and a fully connected part, both with a residual connection."""

    def __init__(self, width: int, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.forward_part = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, valid: Tensor) -> Tensor:
        """[B, length, width] to the same."""
        rows, length, width = states.shape
        parts = self.query_key_value(self.norms[0](states)).reshape(rows, length, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attention = scaled_dot_product_attention(query, key, value, attn_mask=valid)
        states = states + self.dropout(self.out(attention.transpose(1, 2).reshape(rows, length, width)))
        result: Tensor = states + self.dropout(self.forward_part(self.norms[1](states)))
        return result


def _sines(length: int, width: int) -> Tensor:
    """sin and cos of position / 10000^(2i / width) [length, width]."""
    rates = torch.exp(torch.arange(0, width, 2) * (-log(10_000) / width))
    angles = torch.arange(length).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], 2).reshape(length, width)
