"""A small transformer encoder."""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from .base import Dropout, Embedding, Form, Hidden, Trunk, scaled_size

if TYPE_CHECKING:
    from torch import nn


class Transformer(Trunk):
    """Self-attention layers: features at every token; a row's are the mean over its tokens, excluding padding.

    Per layer z <- z + Attention(norm z), z <- z + W_2 gelu(W_1 norm z), one layer for each width of W_1 in ``hidden``;
    token ids pass an embedding, numbers a linear layer, and sines tell the positions. Source: Vaswani et al., Attention
    Is All You Need, NeurIPS 2017, sections 3.1 to 3.5. Deviations: norms stand before the layers and after the last
    one; gelu for relu; no bias in the attention.
    """

    takes = ("token ids", "sequences")
    ranks = (0, 1)
    embedding: Embedding = 64
    hidden: Annotated[Hidden, Field(min_length=1)] = (128, 128)
    attention_heads: int = Field(4, ge=1, description="attention heads of a layer; they divide the embedding")
    dropout: Dropout = 0.0

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.embedding % self.attention_heads or self.embedding % 2:
            raise ValueError(
                f"embedding: expected an even multiple of attention_heads ({self.attention_heads}), "
                f"got {self.embedding}"
            )
        return self

    def scaled(self, factor: float) -> Self:
        """See ``Trunk``; as many attention heads, which go on dividing the embedding."""
        embedding = scaled_size(self.embedding, factor, lcm(2, self.attention_heads))
        sizes = {"embedding": embedding, "hidden": scaled_size(self.hidden, factor)}
        return self.model_copy(update=sizes)

    def blocks(self, form: Form) -> list[nn.Module]:
        """A single block, since all layers need to know which tokens are padding."""
        from ..layers.transformer import Encoder

        return [Encoder(form, self.embedding, self.hidden, self.attention_heads, self.dropout)]

    def width(self, form: Form) -> int:
        """The embedding's size."""
        return self.embedding
