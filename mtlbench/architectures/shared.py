"""Hard parameter sharing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .trunked import OneForm, form_of, in_one_pass, of_task
from .trunks import head

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .base import Inputs


class Shared(OneForm):
    """Hard parameter sharing: one trunk for all tasks, one linear head per task.

    output_t = W_t trunk(x) + b_t. With one set of inputs per task, the trunk sees the rows of all tasks in one pass.
    Source: Caruana, Multitask Learning, Machine Learning 1997.
    """

    heads_alone: ClassVar[bool] = True

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """The trunk."""
        with seeded("trunk"):
            return self.body.build(form_of(outline))

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """The head of one task."""
        form = form_of(outline)
        with seeded("head", task.name):
            return head(self.body.width(form), task, form.rank)

    def represent(self, shared: nn.Module, inputs: Inputs) -> Any:
        """Features of the trunk, shared or {task: features}."""
        return in_one_pass(shared, inputs)

    def predict(self, representation: Any, tasks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Every head on its task's features."""
        return {name: module(of_task(representation, name)) for name, module in tasks.items()}
