"""Full IMTL: losses balanced by learned scales, gradients of the scaled losses balanced in closed form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from .balance import IMTLG
from .base import Claim, Need, Shown
from .on_gramian import Leveled

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Parameter


class IMTL(Leveled):
    """Impartial multi-task learning: ``imtl_g`` on the gradients of losses that ``imtl_l`` has scaled.

    lambda_t = alpha_t exp(s_t), where alpha, which sums to 1, gives the combination of the gradients exp(s_t) g_t that
    has the same projection onto all of them, and s_t descends exp(s_t) L_t - s_t from 0, trained with the model.
    Expects positive losses. Source: Liu et al., Towards Impartial Multi-Task Learning, ICLR 2021, Algorithm 1
    (equations 2 and 6, with base a = e). Deviations: gradients are with respect to the shared parameters, with ``level:
    representation`` to the shared features, as in the paper; a task without a label in the batch leaves its s_t to its
    last loss. Published heads: unweighted; in the paper they descend exp(s_t) grad L_t.
    """

    needs: ClassVar[Need] = Need.LOSSES | Need.GRAMIAN
    learned: ClassVar[bool] = True
    signed: ClassVar[bool] = True
    claims: ClassVar[Claim] = Claim.HOMOGENEOUS | Claim.INVARIANT

    def start(self, tasks: tuple[str, ...], device: device) -> Parameter:
        """s = 0."""
        import torch

        return torch.nn.Parameter(torch.zeros(len(tasks), device=device))

    def parameters(self, state: Any) -> Iterable[Parameter]:
        """s."""
        return (state,)

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """alpha exp(s), and the slope of exp(s) L - s in s."""
        assert shown.gramian is not None
        scales = state.detach().exp()
        state.grad = (scales * shown.losses - 1).to(scales.dtype)
        alphas = IMTLG().weights(shown.gramian * scales.outer(scales))
        return (alphas * scales).to(shown.losses.dtype), state
