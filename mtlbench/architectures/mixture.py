"""What the mixtures of experts have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from ..core.task import Outline
from .base import Seeded
from .trunked import OneForm, form_of, in_one_pass, of_task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .base import Inputs
    from .layers.mixture import Experts


class Mixed(NamedTuple):
    """The representation of a mixture: the inputs, which gates read, and the experts' features [B, E, ...].

    Both are tensors, or {task: tensor} if each task has separate rows.
    """

    inputs: Any
    experts: Any


class Mixture(OneForm):
    """Shared experts, each a trunk; a task's module computes its output from the inputs and the experts' features."""

    experts: int = Field(4, ge=1, description="number of shared experts, each a trunk")

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """The shared experts."""
        return self.build_experts(outline, seeded, self.experts)

    def build_experts(self, outline: Outline, seeded: Seeded, count: int, *owner: str) -> Experts:
        """Experts of one owner, initialised differently from each other: [B, *shape] to [B, count, ...]."""
        from .layers.mixture import Experts

        trunks = []
        for number in range(count):
            with seeded("expert", *owner, number):
                trunks.append(self.body.build(form_of(outline)))
        return Experts(trunks)

    def represent(self, shared: nn.Module, inputs: Inputs) -> Mixed:
        """The inputs and the features of the shared experts."""
        return Mixed(inputs, in_one_pass(shared, inputs))

    def predict(self, representation: Mixed, tasks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Every task's mixture of its inputs' experts."""
        inputs, experts = representation
        return {name: module(of_task(inputs, name), of_task(experts, name)) for name, module in tasks.items()}
