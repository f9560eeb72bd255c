"""Modules in front of an architecture whose tasks differ in kind of input."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class Encoders(nn.Module):
    """{task: inputs}, or one set of inputs for all, to {task: features [B, width]}."""

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts.values())  # a ModuleDict rejects some task names
        self.names = tuple(parts)

    def forward(self, inputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Every task's inputs through its own encoder."""
        by_task = inputs if isinstance(inputs, Mapping) else dict.fromkeys(self.names, inputs)
        return {name: part(by_task[name]) for name, part in zip(self.names, self.parts, strict=True)}
