"""The weighting `inverse`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlbench.weightings.base import Shown, Weighting

if TYPE_CHECKING:
    from torch import Tensor, device


class Inverse(Weighting):
    """lambda_t proportional to 1 / L_t, so that every task contributes the same loss.

    lambda_t = (1 / L_t) / sum_u (1 / L_u): the weights are positive and sum to 1. A loss below 1e-12 counts as 1e-12.
    """

    def start(self, tasks: tuple[str, ...], device: device) -> None:
        """No state: the weights depend on the current losses alone."""

    def weigh(self, shown: Shown, state: None) -> tuple[Tensor, None]:
        """lambda [T] from the losses [T] of this step."""
        inverse = 1 / shown.losses.clamp_min(1e-12)
        return inverse / inverse.sum(), None
