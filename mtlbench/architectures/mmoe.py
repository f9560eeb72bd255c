"""Multi-gate mixture of experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .mixture import Mixture
from .trunked import form_of
from .trunks import head

if TYPE_CHECKING:
    from torch import nn


class Mmoe(Mixture):
    """Multi-gate mixture of experts: E shared trunks, mixed by one gate per task.

    f_t = sum_e g_t(x)_e expert_e(x), g_t(x) = softmax(V_t x), output_t = W_t f_t + b_t. Experts are shared; gate and
    head belong to their task. Source: Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts, KDD 2018, equations 6 to 8. Deviations: a task's tower is its linear head; for token ids x is
    the share of each token in the row.
    """

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """Gate and head of one task."""
        from .layers.mixture import GatedHead, softmax_gate

        form = form_of(outline)
        with seeded("gate", task.name):
            gate = softmax_gate(form, self.experts)
        with seeded("head", task.name):
            return GatedHead(gate, head(self.body.width(form), task, form.rank))
