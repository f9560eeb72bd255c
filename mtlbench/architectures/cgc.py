"""Customized gate control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .mixture import Mixture
from .trunked import form_of
from .trunks import head

if TYPE_CHECKING:
    from torch import nn


class Cgc(Mixture):
    """Customized gate control: shared and task-specific experts, mixed by one gate per task.

    f_t = sum_e g_t(x)_e S_t(x)_e with S_t the task's experts and the shared ones, g_t(x) = softmax(V_t x), output_t =
    W_t f_t + b_t. Source: Tang et al., Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for
    Personalized Recommendations, RecSys 2020, equations 2 to 5. Deviations: a task's tower is its linear head; for
    token ids x is the share of each token in the row.
    """

    experts: int = Field(2, ge=1, description="number of shared experts, each a trunk")
    task_experts: int = Field(2, ge=1, description="number of task-specific experts per task, each a trunk")

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """Experts, gate and head of one task."""
        from .layers.mixture import GatedHead, softmax_gate

        form = form_of(outline)
        task_experts = self.build_experts(outline, seeded, self.task_experts, task.name)
        with seeded("gate", task.name):
            gate = softmax_gate(form, self.task_experts + self.experts)
        with seeded("head", task.name):
            return GatedHead(gate, head(self.body.width(form), task, form.rank), task_experts)
