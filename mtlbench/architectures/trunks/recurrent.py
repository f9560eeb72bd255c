"""Recurrent trunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from .base import Dropout, Embedding, Form, Hidden, Trunk

if TYPE_CHECKING:
    from torch import nn


class _RecurrentTrunk(Trunk):
    takes = ("token ids", "sequences")
    ranks = (0, 1)
    cell: ClassVar[str]
    embedding: Embedding = 64
    hidden: Annotated[Hidden, Field(min_length=1)] = (64,)
    bidirectional: bool = Field(False, description="read the sequence in both directions, each with the layer's width")
    dropout: Dropout = 0.0

    def blocks(self, form: Form) -> list[nn.Module]:
        """A single block, since embedding, layers and mean all need to know which tokens are padding."""
        from torch import nn

        from ..layers.recurrent import Recurrent

        cell = getattr(nn, self.cell)
        return [Recurrent(cell, form, self.embedding, self.hidden, self.bidirectional, self.dropout)]

    def width(self, form: Form) -> int:
        """The last layer's states, of both directions where there are two."""
        return self.hidden[-1] * (1 + self.bidirectional)


class Lstm(_RecurrentTrunk):
    """LSTM layers: states at every token; a row's features are the mean over its tokens, excluding padding.

    Token ids pass an embedding first. torch.compile leaves these layers to eager. Sources: Hochreiter and Schmidhuber,
    Long Short-Term Memory, Neural Computation 1997; shared by tasks in Liu, Qiu and Huang, Recurrent Neural Network for
    Text Classification with Multi-Task Learning, IJCAI 2016: its model I without embeddings of the tasks' own, and with
    the mean of the states where it takes the last.
    """

    cell = "LSTM"


class Gru(_RecurrentTrunk):
    """GRU layers: states at every token; a row's features are the mean over its tokens, excluding padding.

    Token ids pass an embedding first. torch.compile leaves these layers to eager. Source: Cho et al., Learning Phrase
    Representations using RNN Encoder-Decoder for Statistical Machine Translation, EMNLP 2014.
    """

    cell = "GRU"
