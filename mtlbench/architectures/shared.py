"""Hard parameter sharing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .trunks import Trunked, head, of_task, shapes

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .base import Inputs


class Shared(Trunked):
    """Hard parameter sharing: one trunk for all tasks, one linear head per task.

    output_t = W_t trunk(x) + b_t. With one set of inputs per task, the trunk sees the rows of all tasks in one pass.
    Source: Caruana, Multitask Learning, 1997.
    """

    def check(self, outline: Outline) -> list[str]:
        """One trunk also needs one shape."""
        found = shapes(outline)
        if len(set(map(tuple, found.values()))) <= 1:
            return super().check(outline)
        listed = "; ".join(f"{where} have shape {list(shape)}" for where, shape in found.items())
        return [f"a shared trunk expects inputs of one shape for all tasks, but {listed}: use architecture single"]

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """The trunk."""
        with seeded("trunk"):
            return self.build_trunk(_shape(outline))

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """The head of one task."""
        with seeded("head", task.name):
            return head(self.width(_shape(outline)), task)

    def represent(self, shared: nn.Module, inputs: Inputs) -> Any:
        """Features of the trunk, shared or {task: features}."""
        if not isinstance(inputs, Mapping):
            return shared(inputs)
        import torch

        features = shared(torch.cat(list(inputs.values())))
        parts = features.split([len(rows) for rows in inputs.values()])
        return dict(zip(inputs, parts, strict=True))

    def predict(self, representation: Any, tasks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Every head on its task's features."""
        return {name: module(of_task(representation, name)) for name, module in tasks.items()}


def _shape(outline: Outline) -> tuple[int, ...]:
    return next(iter(shapes(outline).values()))
