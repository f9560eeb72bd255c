"""The interface of penalties: from weight matrices of trunk and heads to a scalar, added to the weighted losses."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..core.config import Config
from ..core.task import Outline

if TYPE_CHECKING:
    from torch import Tensor, nn


class Penalty(Config):
    """The objective is sum_t lambda_t L_t(theta) + rho R(theta); a penalty defines rho R."""

    recordable: ClassVar[bool] = True  # whether a CUDA graph can capture it; matrix decompositions cannot be

    def check(self, outline: Outline, common: bool) -> list[str]:
        """The reasons why it cannot be used for tasks that are trained together, as sentences; ``common`` tells whether
        their heads read shared features.
        """
        return []

    @abstractmethod
    def term(self, trunk: nn.Module, heads: Sequence[nn.Module]) -> Tensor | None:
        """rho R, a differentiable scalar; None if there is nothing to add. ``heads`` are the task-specific modules."""

    def covariance(self, heads: Sequence[nn.Module]) -> Tensor | None:
        """The learned covariance [outputs, outputs] of all tasks' outputs; None if it learns none."""
        return None


class Free(Penalty):
    """No penalty: the objective is the weighted sum of the task losses."""

    def term(self, trunk: nn.Module, heads: Sequence[nn.Module]) -> Tensor | None:
        """Nothing."""
        return None


class Norm(Penalty):
    """rho times a sum over weight matrices W; biases and other vectors are not penalised, as usual.

    A layer's weight is a matrix [outputs, inputs] (a convolution's [channels out, channels in x window]). Task-specific
    layers of the same name and number of inputs are stacked over their outputs, so that R acts across tasks: in l21 and
    the trace norm, all linear heads together are one W [all outputs, width].
    """

    strength: float = Field(1e-4, gt=0, description="rho")
    on: Literal["trunk", "heads", "all"] = Field(
        "all", description="which weights: the shared, the task-specific, or both"
    )

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Strong enough to have a visible effect after a few steps."""
        return {"strength": 0.01}

    @abstractmethod
    def norm(self, matrix: Tensor) -> Tensor:
        """R of one matrix."""

    def term(self, trunk: nn.Module, heads: Sequence[nn.Module]) -> Tensor | None:
        """rho times the sum over the chosen matrices."""
        chosen = [
            *(_layers(trunk) if self.on != "heads" else ()),
            *(_stacked(heads) if self.on != "trunk" else ()),
        ]
        total = sum(self.norm(matrix) for matrix in chosen)
        return self.strength * total if chosen else None  # type: ignore[return-value]


def matrices(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The weight matrices [outputs, inputs] of a module's layers, with their names."""
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1 and parameter.requires_grad:
            yield name, parameter.flatten(1)


def _layers(module: nn.Module) -> Iterator[Tensor]:
    yield from (matrix for _, matrix in matrices(module))


def _stacked(heads: Sequence[nn.Module]) -> Iterator[Tensor]:
    import torch

    groups: dict[tuple[str, int], list[Tensor]] = defaultdict(list)
    for head in heads:
        for name, matrix in matrices(head):
            groups[name, matrix.shape[1]].append(matrix)
    yield from map(torch.cat, groups.values())
