"""Cross-stitch networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..core.task import Outline
from .base import Seeded
from .shared import Shared
from .trunked import form_of, in_one_pass, of_task

if TYPE_CHECKING:
    from torch import nn

    from .base import Inputs


class CrossStitch(Shared):
    """Cross-stitch: one trunk per task, whose features are mixed linearly across tasks after every layer.

    z_t^l = sum_s alpha_ts^l layer_s^l(z_s^(l-1)), output_t = W_t z_t^L + b_t; alpha is learned, starts at ``own`` on
    the diagonal and at (1 - own) / (T - 1) elsewhere. Every trunk affects every task, so trunks and alphas are shared
    parameters; only heads are task-specific. Source: Misra et al., Cross-stitch Networks for Multi-task Learning,
    CVPR 2016, equation 1 for any number of tasks. Deviations: one alpha per layer throughout, where the paper has one
    per channel for its pixel tasks; alphas have the weights' learning rate, in the paper a larger one; trunks start
    from the initial weights of the single-task networks, not from trained ones; sequences are mixed only after the last
    layer.
    """

    own: float = Field(0.9, ge=0, le=1, description="initial alpha_tt, the share of a task's own features")

    @property
    def transferable(self) -> bool:
        """Every task has a trunk among the shared modules."""
        return False

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """All trunks and the units between them."""
        from .layers.cross_stitch import Columns

        columns = []
        for _ in outline.tasks:
            with seeded("trunk"):
                columns.append(self.body.blocks(form_of(outline)))
        return Columns(outline.names, columns, self.own)

    def represent(self, shared: Any, inputs: Inputs) -> Any:
        """{task: features of its column}."""
        columns = in_one_pass(shared, inputs)
        return {name: of_task(columns, name)[number] for number, name in enumerate(shared.names)}
