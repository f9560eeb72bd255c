"""Task-specific adapters after a shared trunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .shared import Shared
from .trunked import form_of
from .trunks import head

if TYPE_CHECKING:
    from torch import nn


class Adapters(Shared):
    """A shared trunk, followed by a small residual layer (adapter) for each task.

    z_t = z + U_t relu(D_t z + d_t) + u_t with z = trunk(x), output_t = W_t z_t + b_t; U_t and u_t start at 0, so that
    the network is initially one with hard parameter sharing. Source: Houlsby et al., Parameter-Efficient Transfer
    Learning for NLP, ICML 2019, figure 2. Deviations: one adapter per task, after the trunk instead of in each layer;
    relu; the trunk is trained with the tasks unless ``freeze`` keeps its initial weights.
    """

    adapter_width: int = Field(8, ge=1, description="size of the bottleneck D_t z")
    freeze: bool = Field(False, description="keep the trunk at its initial weights")

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """The trunk."""
        return super().shared(outline, seeded).requires_grad_(not self.freeze)

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """Adapter and head of one task."""
        from torch import nn

        from .layers.adapter import Adapter

        form = form_of(outline)
        width = self.body.width(form)
        with seeded("adapter", task.name):
            adapter = Adapter(width, self.adapter_width, form.rank)
        with seeded("head", task.name):
            return nn.Sequential(adapter, head(width, task, form.rank))
