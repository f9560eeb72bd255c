"""Two (or more) towers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .shared import Shared
from .trunked import Trunked, form_of
from .trunks import head
from .trunks.base import Form, Trunk
from .trunks.choice import AnyTrunk
from .trunks.mlp import Mlp

if TYPE_CHECKING:
    from torch import nn

    from .base import Inputs


class TwoTower(Shared):
    """One convolution tower per task, whose concatenated features pass shared dense layers; one head per task.

    z = dense([tower_1(x_1), ..., tower_T(x_T)]), output_t = W_t z + b_t; the dense layers are those of the trunk,
    widths ``hidden``. If tasks have separate rows, row i of one task's batch is paired with row i of all other tasks',
    and a smaller set starts again from its first row; with one set of inputs, every tower processes it. Every tower
    affects every task, so only heads are task-specific. The classical network for two paired inputs, without a first
    source.
    """

    trunk: AnyTrunk = Field(
        "cnn", validate_default=True, description="the towers' convolution blocks, and the dense layers behind them"
    )

    def check_behind(self, outline: Outline) -> list[str]:
        """Inputs may differ in shape."""
        return Trunked.check_behind(self, outline)

    def check_trunk(self, trunk: Trunk, form: Form) -> str:
        """Towers must be convolutions, with dense layers behind them."""
        if fault := trunk.check(form):
            return fault
        if "hidden" in type(trunk).model_fields and trunk.maps(form) and not form.rank:
            return ""
        return "does not do: towers expect convolutions and dense layers, and labels of whole rows"

    @property
    def transferable(self) -> bool:
        """Every task has a tower among the shared modules."""
        return False

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """Towers and dense layers."""
        from .layers.two_tower import Towers

        towers = {}
        for name in outline.names:
            form = form_of(outline, name)
            with seeded("tower", name):
                towers[name] = self.body.blocks(form)[: len(self.body.maps(form))]
        with seeded("dense"):
            return Towers(towers, self._dense().build(self._joined(outline)))

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """The head of one task."""
        with seeded("head", task.name):
            return head(self._dense().width(self._joined(outline)), task)

    def represent(self, shared: nn.Module, inputs: Inputs) -> Any:
        """Features of the dense layers, for all tasks or {task: features}."""
        return shared(inputs)

    def _joined(self, outline: Outline) -> Form:
        """The form of the concatenated features of all towers."""
        return Form((sum(prod(self.body.maps(form_of(outline, name))[-1]) for name in outline.names),))

    def _dense(self) -> Mlp:
        """The dense layers, with the parameters that they have in common with the trunk."""
        return Mlp(**{name: getattr(self.body, name) for name in Mlp.model_fields if hasattr(self.body, name)})
