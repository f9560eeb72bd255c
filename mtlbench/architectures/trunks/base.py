"""The interface of trunks: from inputs of one form to features, as a chain of blocks."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from ...core.config import Config

if TYPE_CHECKING:
    from torch import nn

    from ...core.task import Shape

Size = Annotated[int, Field(ge=1)]
_ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU", "tanh": "Tanh"}

# Parameters that several trunks have, with different defaults; a name means the same in all of them.
Activation = Annotated[Literal["relu", "gelu", "silu", "tanh"], Field(description="after every layer of the trunk")]
Channels = Annotated[tuple[Size, ...], Field(min_length=1, description="channels per convolution block or stage")]
Dropout = Annotated[float, Field(ge=0, lt=1, description="probability, after every layer that is not a convolution")]
Embedding = Annotated[int, Field(ge=1, description="size of a token's vector")]
Hidden = Annotated[tuple[Size, ...], Field(description="widths of the fully connected or recurrent layers")]

Kind = Literal["token ids", "vectors", "sequences", "images", "arrays"]
_KINDS: dict[int, Kind] = {1: "vectors", 2: "sequences", 3: "images"}


@dataclass(frozen=True)
class Form:
    """The form of a trunk's inputs, and the positions at which tasks have labels.

    shape       of one row: (features,), (length, features), (channels, height, width); token ids have (length,)
    vocabulary  above 0 for token ids
    positions   () if every label belongs to a row, else (length,) or (height, width)

    The rank of the positions decides what the trunk outputs: [B, width] for 0; [B, width, 1 + length] for 1, first the
    whole row and then its tokens; [B, width, height, width] for 2.
    """

    shape: Shape
    vocabulary: int = 0
    positions: Shape = ()

    @property
    def rank(self) -> int:
        """Dimensions of the positions."""
        return len(self.positions)

    @property
    def kind(self) -> Kind:
        """The kind of the inputs."""
        return "token ids" if self.vocabulary else _KINDS.get(len(self.shape), "arrays")


class Trunk(Config):
    """Inputs of one form to features, a chain of blocks (each a tensor to a tensor)."""

    takes: ClassVar[tuple[Kind, ...]]  # the kinds of inputs it accepts
    ranks: ClassVar[tuple[int, ...]] = (0,)  # the ranks of positions that it can keep
    widths: ClassVar[tuple[str, ...]] = ("channels", "embedding", "hidden")  # the parameters that are sizes of layers

    def check(self, form: Form) -> str:
        """Why the trunk cannot take a form, as a phrase that follows "trunk x "; empty if it can."""
        if form.kind not in self.takes:
            return f"expects {', '.join(self.takes)}, got {form.kind} of shape {list(form.shape)}"
        if form.rank not in self.ranks:
            return f"gives features of whole rows, but tasks have labels at positions {list(form.positions)}"
        available = form.shape[:1] if form.rank == 1 else form.shape[1:]
        if form.rank and form.positions != available:
            return f"keeps positions {list(available)}, but tasks have labels at positions {list(form.positions)}"
        return ""

    @abstractmethod
    def blocks(self, form: Form) -> list[nn.Module]:
        """The blocks; their chain gives the features."""

    @abstractmethod
    def width(self, form: Form) -> int:
        """Size of the features."""

    def maps(self, form: Form) -> tuple[Shape, ...]:
        """(channels, height, width) after each of the leading blocks that output images; () for other trunks."""
        return ()

    def scaled(self, factor: float) -> Self:
        """The same trunk with every width times ``factor`` > 0, rounded, at least 1; itself where it has no width."""
        sizes = {name: getattr(self, name) for name in self.widths if name in type(self).model_fields}
        return self.model_copy(update={name: scaled_size(size, factor) for name, size in sizes.items()})

    def build(self, form: Form) -> nn.Sequential:
        """The trunk as one module."""
        from torch import nn

        return nn.Sequential(*self.blocks(form))


def scaled_size(size: Any, factor: float, multiple: int = 1) -> Any:
    """A width, or each of several, times ``factor``, rounded to a positive multiple of ``multiple``."""
    if isinstance(size, int):
        return multiple * max(1, round(size * factor / multiple))
    return tuple(scaled_size(each, factor, multiple) for each in size)


def activation_of(name: str) -> nn.Module:
    """The module of an activation's name."""
    from torch import nn

    module: nn.Module = getattr(nn, _ACTIVATIONS[name])()
    return module


def dropout_of(probability: float) -> list[nn.Module]:
    """A dropout layer, or none if the probability is 0."""
    from torch import nn

    return [nn.Dropout(probability)] if probability else []
