"""The architecture `residual`."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from pydantic import Field

from mtlbench.architectures.base import Architecture, Seeded
from mtlbench.architectures.trunks import head
from mtlbench.core.task import Outline, TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mtlbench.architectures.base import Inputs


class Residual(Architecture):
    """A shared layer z = relu(W x), and for each task a private correction of it: output_t = H_t (z + V_t z).

    x is the row, flattened; z and V_t z have ``width`` numbers.
    """

    width: int = Field(64, ge=1, description="size of the shared representation z")

    def check(self, outline: Outline) -> list[str]:
        """One x for all tasks, and one label of a task in each row."""
        if not isinstance(outline.input_shape, tuple):
            return ["expects inputs that all tasks share, got inputs of each task's own"]
        return ["expects one label in each row, got labels at positions"] * any(t.positions for t in outline.tasks)

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """W. Drawn under ``seeded("trunk")``, it starts as the trunks of the single-task baseline do."""
        from torch import nn

        assert isinstance(outline.input_shape, tuple), "check() comes first"
        with seeded("trunk"):
            return nn.Sequential(nn.Flatten(), nn.Linear(prod(outline.input_shape), self.width), nn.ReLU())

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """V_t and H_t."""
        from torch import nn

        with seeded("head", task.name):
            return nn.ModuleList([nn.Linear(self.width, self.width), head(self.width, task)])

    def represent(self, shared: nn.Module, inputs: Inputs) -> Tensor:
        """z [B, width]."""
        z: Tensor = shared(inputs)
        return z

    def predict(self, representation: Tensor, tasks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """One output for each task."""
        outputs = {}
        for name, task in tasks.items():
            correction, output = task.children()
            outputs[name] = output(representation + correction(representation))
        return outputs
