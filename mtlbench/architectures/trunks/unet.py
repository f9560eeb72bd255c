"""An encoder-decoder for labels at every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Channels, Form, Trunk

if TYPE_CHECKING:
    from torch import nn


class Unet(Trunk):
    """A convolution encoder that downsamples the image, and a decoder with skip connections that upsamples it again.

    A level is two 3x3 convolutions, each with batch normalisation and relu; the features are the first level's channels
    at every pixel. Source: Ronneberger, Fischer and Brox, U-Net: Convolutional Networks for Biomedical Image
    Segmentation, MICCAI 2015. Deviations: padded convolutions, batch normalisation, bilinear enlarging instead of
    transposed convolutions, so that images of any size keep it.
    """

    takes = ("images",)
    ranks = (0, 2)
    channels: Channels = (16, 32, 64)

    def check(self, form: Form) -> str:
        """Downsampling must leave two pixels, so that batch normalisation has a variance to compute."""
        smallest = 2 ** len(self.channels)
        if len(form.shape) == 3 and min(form.shape[1:]) < smallest:
            return (
                f"with {len(self.channels)} levels expects images of at least {smallest}x{smallest}, "
                f"got {form.shape[1]}x{form.shape[2]}; use fewer channels"
            )
        return super().check(form)

    def blocks(self, form: Form) -> list[nn.Module]:
        """One block, since the decoder sees the encoder's maps; the mean over pixels where only rows have labels."""
        from torch import nn

        from ..layers.images import EncoderDecoder

        pooling = [] if form.rank else [nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())]
        return [EncoderDecoder(form.shape[0], self.channels), *pooling]

    def width(self, form: Form) -> int:
        """The first level's channels."""
        return self.channels[0]
