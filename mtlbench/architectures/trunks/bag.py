"""Bag of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Activation, Dropout, Embedding, Form, Hidden, Trunk, activation_of, dropout_of

if TYPE_CHECKING:
    from torch import nn


class Bag(Trunk):
    """The mean of the tokens' embeddings, excluding padding, then fully connected layers.

    Source: Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods for Text Classification, ACL 2015, without
    its word dropout.
    """

    takes = ("token ids",)
    embedding: Embedding = 64
    hidden: Hidden = (64,)
    activation: Activation = "relu"
    dropout: Dropout = 0.0

    def blocks(self, form: Form) -> list[nn.Module]:
        """One block for the embedding, and one per layer."""
        from torch import nn

        blocks: list[nn.Module] = [nn.EmbeddingBag(form.vocabulary, self.embedding, mode="mean", padding_idx=0)]
        features = self.embedding
        for size in self.hidden:
            layers = [nn.Linear(features, size), activation_of(self.activation), *dropout_of(self.dropout)]
            blocks.append(nn.Sequential(*layers))
            features = size
        return blocks

    def width(self, form: Form) -> int:
        """The last layer's width, or the embedding's where there is no layer."""
        return self.hidden[-1] if self.hidden else self.embedding
