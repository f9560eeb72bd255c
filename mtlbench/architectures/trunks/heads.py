"""Heads: features to one task's output."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from ...core.task import TaskSpec


def affine(inputs: int, outputs: int, rank: int = 0) -> nn.Module:
    """W z + b at every position: [B, inputs, *positions] to [B, outputs, *positions], ``rank`` positions."""
    from torch import nn

    if rank == 0:
        return nn.Linear(inputs, outputs)
    return nn.Conv1d(inputs, outputs, 1) if rank == 1 else nn.Conv2d(inputs, outputs, 1)


def head(features: int, task: TaskSpec, rank: int = 0) -> nn.Module:
    """A linear layer from the features that a trunk outputs for ``rank`` to the output of one task.

    [B, outputs, *positions], or [B, *positions] for a binary task. A task that labels rows reads the whole row's
    column of a sequence, and the mean over the pixels of an image.
    """
    from torch import nn

    layers: list[nn.Module] = [affine(features, task.outputs, rank if task.positions else 0)]
    if rank == 1:
        layers.insert(0, _columns(bool(task.positions)))
    elif rank == 2 and not task.positions:
        layers[:0] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if task.kind == "binary":
        layers.append(nn.Flatten(0, 1) if not task.positions else nn.Flatten(1, 2))
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def _columns(tokens: bool) -> nn.Module:
    """Of a sequence's features [B, F, 1 + length]: the tokens' columns, or the whole row's."""
    from ..layers.sequences import Row, Tokens

    return Tokens() if tokens else Row()
