"""Fully connected trunks."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from .base import Activation, Dropout, Form, Hidden, Trunk, activation_of, dropout_of

if TYPE_CHECKING:
    from torch import nn


class Mlp(Trunk):
    """Fully connected layers: z_l = activation(W_l z_(l-1) + b_l); inputs of any shape are flattened first."""

    takes = ("vectors", "images", "sequences", "arrays")
    hidden: Hidden = (128, 64)
    activation: Activation = "relu"
    dropout: Dropout = 0.0

    def blocks(self, form: Form) -> list[nn.Module]:
        """One block per layer."""
        from torch import nn

        blocks: list[nn.Module] = [] if len(form.shape) == 1 else [nn.Flatten()]
        features = prod(form.shape)
        for size in self.hidden:
            layers = [nn.Linear(features, size), activation_of(self.activation), *dropout_of(self.dropout)]
            blocks.append(nn.Sequential(*layers))
            features = size
        return blocks

    def width(self, form: Form) -> int:
        """The last layer's width, or all inputs where there is no layer."""
        return self.hidden[-1] if self.hidden else prod(form.shape)


class Linear(Trunk):
    """Linear layers without activation: z = W_L ... W_1 x + b, a network of low rank for all tasks.

    One layer of 50 on 100 inputs with two heads is the classical smallest case of a shared representation. Source: Ando
    and Zhang, A Framework for Learning Predictive Structures from Multiple Tasks, JMLR 2005, whose structure Theta is
    the layer.
    """

    takes = ("vectors", "images", "sequences", "arrays")
    hidden: Hidden = (50,)
    dropout: Dropout = 0.0

    def blocks(self, form: Form) -> list[nn.Module]:
        """One block per layer."""
        from torch import nn

        blocks: list[nn.Module] = [] if len(form.shape) == 1 else [nn.Flatten()]
        features = prod(form.shape)
        for size in self.hidden:
            blocks.append(nn.Sequential(nn.Linear(features, size), *dropout_of(self.dropout)))
            features = size
        return blocks

    def width(self, form: Form) -> int:
        """The last layer's width, or all inputs where there is no layer."""
        return self.hidden[-1] if self.hidden else prod(form.shape)
