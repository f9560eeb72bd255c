"""A convolution trunk."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from .base import Activation, Channels, Dropout, Form, Hidden, Trunk, activation_of, dropout_of
from .heads import affine

if TYPE_CHECKING:
    from torch import nn

    from ...core.task import Shape


class Cnn(Trunk):
    """Convolution blocks (convolution, activation, max-pooling), then fully connected layers.

    For tasks with a label at every pixel the fully connected layers are 1x1 convolutions and the result is enlarged to
    the size of the image (bilinear). Sources: LeCun et al., Gradient-Based Learning Applied to Document Recognition,
    Proceedings of the IEEE 1998; Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation,
    CVPR 2015, without its skips.
    """

    takes = ("images",)
    ranks = (0, 2)
    channels: Channels = (16, 32)
    kernel_size: int = Field(3, ge=1, description="size of the filters, odd, so that padding keeps the image size")
    pooling: int = Field(2, ge=1, description="factor of the max-pooling after each block; 1 for none")
    hidden: Hidden = (128, 64)
    activation: Activation = "relu"
    dropout: Dropout = 0.0

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected an odd number, got {self.kernel_size}")
        return self

    def check(self, form: Form) -> str:
        """Pooling must leave a pixel."""
        smallest = self.pooling ** len(self.channels)
        if len(form.shape) == 3 and min(form.shape[1:]) < smallest:
            return (
                f"with {len(self.channels)} blocks of pooling {self.pooling} expects images of at least "
                f"{smallest}x{smallest}, got {form.shape[1]}x{form.shape[2]}; use fewer channels or less pooling"
            )
        return super().check(form)

    def maps(self, form: Form) -> tuple[Shape, ...]:
        """After each convolution block."""
        factors = [self.pooling**block for block in range(1, len(self.channels) + 1)]
        _, height, width = form.shape
        return tuple((c, height // f, width // f) for c, f in zip(self.channels, factors, strict=True))

    def blocks(self, form: Form) -> list[nn.Module]:
        """One block per convolution, and one per fully connected layer."""
        from torch import nn

        blocks: list[nn.Module] = []
        channels = form.shape[0]
        for size in self.channels:
            layers = [nn.Conv2d(channels, size, self.kernel_size, padding=self.kernel_size // 2)]
            pooling = [nn.MaxPool2d(self.pooling)] if self.pooling > 1 else []
            blocks.append(nn.Sequential(*layers, activation_of(self.activation), *pooling))
            channels = size
        features = channels if form.rank else prod(self.maps(form)[-1])
        blocks += [] if form.rank else [nn.Flatten()]
        for size in self.hidden:
            layer = affine(features, size, form.rank)
            blocks.append(nn.Sequential(layer, activation_of(self.activation), *dropout_of(self.dropout)))
            features = size
        if form.rank and self.pooling > 1:
            blocks.append(nn.Upsample(size=form.positions, mode="bilinear"))
        return blocks

    def width(self, form: Form) -> int:
        """The last layer's width, or what the convolutions give where there is no layer."""
        if self.hidden:
            return self.hidden[-1]
        return self.channels[-1] if form.rank else prod(self.maps(form)[-1])
