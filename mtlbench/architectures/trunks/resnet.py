"""A small residual network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from .base import Channels, Form, Trunk

if TYPE_CHECKING:
    from torch import nn

    from ...core.task import Shape


class Resnet(Trunk):
    """A residual network for small images: a convolution, then stages of residual blocks, then the mean over pixels.

    z <- relu(shortcut(z) + norm(conv(relu(norm(conv z))))); stages after the first halve the image. Channels (16, 32,
    64) with depth n make the network of 6n + 2 layers for 32x32 images; for tasks with a label at every pixel the last
    map is upsampled to the image instead (bilinear). Source: He et al., Deep Residual Learning for Image Recognition,
    CVPR 2016, section 4.2. Deviation: where a stage changes the size, the shortcut is a 1x1 convolution.
    """

    takes = ("images",)
    ranks = (0, 2)
    channels: Channels = (16, 32, 64)
    depth: int = Field(1, ge=1, description="residual blocks per stage")

    def check(self, form: Form) -> str:
        """Downsampling must leave two pixels, so that batch normalisation has a variance to compute."""
        smallest = 2 ** len(self.channels)
        if len(form.shape) == 3 and min(form.shape[1:]) < smallest:
            return (
                f"with {len(self.channels)} stages expects images of at least {smallest}x{smallest}, "
                f"got {form.shape[1]}x{form.shape[2]}; use fewer channels"
            )
        return super().check(form)

    def maps(self, form: Form) -> tuple[Shape, ...]:
        """After each stage; the first convolution belongs to the first stage."""
        shapes, (_, height, width) = [], form.shape
        for number, channels in enumerate(self.channels):
            if number:
                height, width = -(-height // 2), -(-width // 2)
            shapes.append((channels, height, width))
        return tuple(shapes)

    def blocks(self, form: Form) -> list[nn.Module]:
        """One block per stage, and the pooling or upsampling."""
        from torch import nn

        from ..layers.images import Residual, convolution

        blocks: list[nn.Module] = []
        channels = form.shape[0]
        for number, size in enumerate(self.channels):
            stage: list[nn.Module] = []
            if not number:
                stage.append(nn.Sequential(*convolution(channels, size), nn.ReLU()))
                channels = size
            for block in range(self.depth):
                stage.append(Residual(channels, size, stride=2 if number and not block else 1))
                channels = size
            blocks.append(nn.Sequential(*stage))
        if form.rank:
            return [*blocks, nn.Upsample(size=form.positions, mode="bilinear")]
        return [*blocks, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())]

    def width(self, form: Form) -> int:
        """The last stage's channels."""
        return self.channels[-1]
