"""Trunks (inputs to features) and heads (features to one task's output): the parts architectures are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ..core.task import Outline, TaskSpec
from .base import Architecture

if TYPE_CHECKING:
    from torch import nn

    from ..core.task import Shape

Size = Annotated[int, Field(ge=1)]
_ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU", "tanh": "Tanh"}
_CNN_ONLY = ("channels", "kernel_size", "pooling")


class Trunked(Architecture):
    """An architecture whose trunk is chosen by name; inputs of any shape are flattened before the hidden layers."""

    trunk: Literal["mlp", "cnn"] = Field("mlp", description="mlp: hidden layers; cnn: convolutions, then hidden layers")
    hidden: tuple[Size, ...] = Field((128, 64), description="widths of the fully connected layers")
    activation: Literal["relu", "gelu", "silu", "tanh"] = Field("relu", description="after every layer of the trunk")
    dropout: float = Field(0.0, ge=0, lt=1, description="probability, after every fully connected layer of the trunk")
    channels: tuple[Size, ...] = Field((16, 32), min_length=1, description="cnn: channels per block")
    kernel_size: int = Field(3, ge=1, description="cnn: size of the filters, odd, so that padding keeps the image size")
    pooling: int = Field(2, ge=1, description="cnn: factor of the max-pooling after each block; 1 for none")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        fields = type(self).model_fields
        idle = [name for name in _CNN_ONLY if getattr(self, name) != fields[name].default]
        if self.trunk != "cnn" and idle:
            raise ValueError(f"{', '.join(idle)}: only trunk cnn has them, got trunk {self.trunk}; remove them")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected an odd number, got {self.kernel_size}")
        return self

    def check(self, outline: Outline) -> list[str]:
        """What makes the trunk impossible for the tasks or the shape of the inputs."""
        placed = [task.name for task in outline.tasks if task.positions]
        if placed:
            return [
                f"trunk {self.trunk} gives one output a row, but {', '.join(placed)} have a label at every position"
            ]
        if outline.vocabulary:
            return [f"trunk {self.trunk} expects numbers as inputs, got token ids"]
        if self.trunk != "cnn":
            return []
        problems = (self._check_image(where, shape) for where, shape in shapes(outline).items())
        return list(dict.fromkeys(problem for problem in problems if problem))

    def _check_image(self, where: str, shape: Shape) -> str:
        if len(shape) != 3:
            return (
                f"trunk cnn expects images [channels, height, width]; {where} have shape {list(shape)}: use trunk mlp"
            )
        smallest = self.pooling ** len(self.channels)
        if min(shape[1:]) < smallest:
            return (
                f"trunk cnn with {len(self.channels)} blocks of pooling {self.pooling} expects images of at least "
                f"{smallest}x{smallest}; {where} have {shape[1]}x{shape[2]}: use fewer channels or less pooling"
            )
        return ""

    def build_trunk(self, shape: Shape) -> nn.Sequential:
        """[B, *shape] to [B, ``width(shape)``]."""
        from torch import nn

        layers: list[nn.Module] = []
        if self.trunk == "cnn":
            layers += self._convolutions(shape[0])
        if self.trunk == "cnn" or len(shape) != 1:
            layers.append(nn.Flatten())
        features = self._flat(shape)
        for size in self.hidden:
            layers += [nn.Linear(features, size), self._activation()]
            layers += [nn.Dropout(self.dropout)] if self.dropout else []
            features = size
        return nn.Sequential(*layers)

    def width(self, shape: Shape) -> int:
        """Features that the trunk gives for inputs of this shape."""
        return self.hidden[-1] if self.hidden else self._flat(shape)

    def _convolutions(self, channels: int) -> Iterator[nn.Module]:
        from torch import nn

        for size in self.channels:
            yield nn.Conv2d(channels, size, self.kernel_size, padding=self.kernel_size // 2)
            yield self._activation()
            if self.pooling > 1:
                yield nn.MaxPool2d(self.pooling)
            channels = size

    def _flat(self, shape: Shape) -> int:
        """Features that enter the first fully connected layer."""
        if self.trunk != "cnn":
            return prod(shape)
        reduction = self.pooling ** len(self.channels)
        return self.channels[-1] * (shape[1] // reduction) * (shape[2] // reduction)

    def _activation(self) -> nn.Module:
        from torch import nn

        return getattr(nn, _ACTIVATIONS[self.activation])()


def head(features: int, task: TaskSpec) -> nn.Module:
    """A linear layer to the output of one task: [B, outputs], or [B] for a binary task."""
    from torch import nn

    linear = nn.Linear(features, task.outputs)
    return nn.Sequential(linear, nn.Flatten(0)) if task.loss == "bce_with_logits" else linear


def shapes(outline: Outline) -> dict[str, Shape]:
    """Input shapes by the words that name them in messages."""
    if isinstance(outline.input_shape, Mapping):
        return {f"the inputs of task '{name}'": shape for name, shape in outline.input_shape.items()}
    return {"the inputs": outline.input_shape}


def of_task(value: Any, name: str) -> Any:
    """One task's part of inputs, shapes or features that are shared by all tasks or given as {task: value}."""
    return value[name] if isinstance(value, Mapping) else value
