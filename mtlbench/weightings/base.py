"""What a weighting is: task losses (and more, where it asks) to one weight lambda_t per task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from enum import Flag, auto
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.config import Config

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Parameter


class Need(Flag):
    """What a weighting must be shown at each step."""

    LOSSES = auto()  # the T task losses, detached
    LOSSES_AFTER = auto()  # the losses of the same batch after the update as well
    GRAMIAN = auto()  # G = J J^T, all dot products of the T task gradients
    JACOBIAN = auto()  # the T task gradients themselves


class Weighting(Config):
    """The step descends sum_t lambda_t grad L_t; a weighting says which lambda.

    A non-linear scalarization f(L_1..L_T) is a weighting too: lambda_t = df/dL_t at the current losses gives the same
    update. State lives on the device of the losses and is whatever ``start`` returns.
    """

    needs: ClassVar[Need] = Need.LOSSES
    recordable: ClassVar[bool] = False  # all work on the device and all state in tensors: fits into a CUDA graph
    learned: ClassVar[bool] = False  # whether it has parameters that are trained with the model

    def check(self, tasks: tuple[str, ...]) -> list[str]:
        """What makes this weighting impossible for these tasks, each in one sentence; empty if nothing."""
        return []

    @abstractmethod
    def start(self, tasks: tuple[str, ...], device: device) -> Any:
        """The state before the first step."""

    def parameters(self, state: Any) -> Iterable[Parameter]:
        """Parameters of the weighting that the model's optimizer trains along (log-variances, say)."""
        return ()

    @abstractmethod
    def weigh(self, statistic: Tensor, state: Any) -> tuple[Tensor, Any]:
        """lambda [T] for this step and the next state, from what ``needs`` names (losses [T], Gramian [T, T] …).

        Fills ``.grad`` of ``parameters(state)``, where there are any.
        """

    def after_step(self, losses: Tensor, state: Any) -> Any:
        """The next state, given the same batch's losses after the update (only with LOSSES_AFTER)."""
        return state

    def after_epoch(self, state: Any) -> Any:
        """The next state at the end of an epoch."""
        return state
