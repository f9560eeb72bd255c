"""DSelect-k."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .mixture import Mixture
from .trunked import form_of
from .trunks import head

if TYPE_CHECKING:
    from torch import Tensor, nn


class DSelectK(Mixture):
    """DSelect-k: every task selects k of the shared experts, by a gate that is smooth and becomes sparse.

    q_t = sum_(i<=k) softmax(a_t)_i r(z_ti) with r(z)_e = prod_j S(z_j) over the bits j that are 1 in e, times
    1 - S(z_j) over the others; S is the smooth step of width ``gamma``, 0 below -gamma/2, 1 above gamma/2, and
    -2 (z/gamma)^3 + 3/2 z/gamma + 1/2 between. The objective gains ``entropy`` * sum_(t,i) H(r(z_ti)). f_t = sum_e
    q_te expert_e(x), output_t = W_t f_t + b_t. Source: Hazimeh et al., DSelect-k: Differentiable Selection in the
    Mixture of Experts with Applications to Multi-Task Learning, NeurIPS 2021; a and z start as in the authors' code.
    Deviations: only the static gate, not the one per example; the number of experts is a power of two, so that every
    code is an expert; ``entropy`` defaults to 1e-3, in the authors' code to 1e-6.
    """

    selected: int = Field(2, ge=1, description="k, the number of experts a task chooses at most")
    gamma: float = Field(1.0, gt=0, description="width of the smooth step")
    entropy: float = Field(1e-3, ge=0, description="factor of the gates' entropy in the objective")

    @model_validator(mode="after")
    def _powers(self) -> Self:
        if self.experts < 2 or self.experts & (self.experts - 1):
            raise ValueError(f"experts: expected a power of two above 1, got {self.experts}")
        if self.selected > self.experts:
            raise ValueError(f"selected: expected at most {self.experts}, the number of experts, got {self.selected}")
        return self

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """Gate and head of one task."""
        from .layers.dselect_k import SelectingGate
        from .layers.mixture import GatedHead

        form = form_of(outline)
        with seeded("gate", task.name):
            gate = SelectingGate(self.experts, self.selected, self.gamma)
        with seeded("head", task.name):
            return GatedHead(gate, head(self.body.width(form), task, form.rank))

    def penalty(self, tasks: Mapping[str, nn.Module]) -> Tensor | None:
        """The entropy of all gates."""
        if not self.entropy:
            return None
        import torch

        from .layers.dselect_k import entropy

        return self.entropy * torch.stack([entropy(task.get_submodule("gate")) for task in tasks.values()]).sum()
