"""Progressive layered extraction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .cgc import Cgc
from .mixture import Mixed
from .trunked import form_of, in_one_pass, of_task
from .trunks import head

if TYPE_CHECKING:
    from torch import nn

    from .base import Inputs
    from .layers.mixture import Experts
    from .layers.ple import Level


class Ple(Cgc):
    """Progressive layered extraction: levels of shared and task experts, each mixed for the next level.

    At level j, f_t^j mixes the task's experts of f_t^(j-1) and the shared experts of f_s^(j-1) by softmax(V_t^j
    f_t^(j-1)), and f_s^j mixes all of them by softmax(V_s^j f_s^(j-1)); f^0 = x, output_t = W_t f_t^L + b_t. Experts
    of level 1 are trunks, later ones layers relu(W f + b) of the trunk's width. Task experts below the last level
    affect all tasks through f_s, so they are shared parameters; those of the last level are task-specific.
    Source: Tang et al., Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for Personalized
    Recommendations, RecSys 2020, equations 6 and 7 and the text around them. Deviations as in ``cgc``; gates
    read the mean over positions.
    """

    levels: int = Field(2, ge=2, description="levels of experts")

    @property
    def transferable(self) -> bool:
        """Every task has experts among the shared modules."""
        return False

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """All levels but the last one's task experts."""
        from .layers.ple import Extraction

        levels = [self._level(outline, seeded, number) for number in range(1, self.levels)]
        return Extraction(outline.names, levels, self._experts(outline, seeded, self.levels, ""))

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """Experts of the last level, gate and head of one task."""
        from .layers.mixture import GatedHead
        from .layers.ple import feature_gate

        form = form_of(outline)
        width = self.body.width(form)
        task_experts = self._experts(outline, seeded, self.levels, task.name)
        with seeded("gate", self.levels, task.name):
            gate = feature_gate(width, self.task_experts + self.experts)
        with seeded("head", task.name):
            return GatedHead(gate, head(width, task, form.rank), task_experts)

    def represent(self, shared: Any, inputs: Inputs) -> Mixed:
        """{task: its features of the last level but one}, and the features of the last level's shared experts."""
        features = in_one_pass(shared, inputs)
        states = {name: of_task(features, name)[number] for number, name in enumerate(shared.names)}
        return Mixed(states, {name: of_task(features, name)[-1] for name in shared.names})

    def _experts(self, outline: Outline, seeded: Seeded, level: int, owner: str) -> Experts:
        """One owner's experts of one level; "" owns the shared ones."""
        from .layers.ple import layer_experts

        count = self.task_experts if owner else self.experts
        if level == 1:
            return self.build_experts(outline, seeded, count, owner)
        form = form_of(outline)
        with seeded("experts", level, owner):
            return layer_experts(self.body.width(form), count, form.rank)

    def _level(self, outline: Outline, seeded: Seeded, number: int) -> Level:
        from .layers.mixture import softmax_gate
        from .layers.ple import Level, feature_gate

        form = form_of(outline)
        width, everyone = self.body.width(form), (*outline.names, "")
        experts = [self._experts(outline, seeded, number, owner) for owner in everyone]
        gates = []
        for owner in everyone:
            of_tasks = self.task_experts if owner else self.task_experts * len(outline.tasks)
            with seeded("gate", number, owner):
                count = of_tasks + self.experts
                gates.append(softmax_gate(form, count) if number == 1 else feature_gate(width, count))
        return Level(experts, gates)
