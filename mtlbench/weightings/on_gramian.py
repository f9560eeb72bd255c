"""The common base of weightings on the Gramian: a pure function from G to lambda."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from .base import HeadFactor, Level, Need, Shown, Weighting

if TYPE_CHECKING:
    from torch import Tensor, device


class Leveled(Weighting):
    """A weighting on the Gramian of gradients with respect to shared parameters or the shared representation."""

    needs: ClassVar[Need] = Need.GRAMIAN
    published: ClassVar[HeadFactor] = "unweighted"

    level: Level = Field(
        "parameters", description="parameters: a pass through the trunk per task; representation: one pass in all"
    )

    @property
    def at_representation(self) -> bool:
        """Whether ``level`` is ``representation``."""
        return self.level == "representation"


class OnGramian(Leveled):
    """lambda = ``weights``(G), without memory of earlier steps."""

    @abstractmethod
    def weights(self, gramian: Tensor) -> Tensor:
        """lambda [T] from G [T, T], in any floating-point dtype."""

    def start(self, tasks: tuple[str, ...], device: device) -> None:
        """No state."""

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """``weights`` in the dtype of the losses."""
        assert shown.gramian is not None
        return self.weights(shown.gramian).to(shown.losses.dtype), state


def solved(
    gramian: Tensor, method: str, parameter: float = 0.0, draws: Tensor | None = None, targets: Tensor | None = None
) -> Tensor:
    """lambda [T] in float64 by ``ops.gramian_weights``."""
    from ..ops.gramian_weights import gramian_weights  # not before a step: listing weightings needs no torch

    return gramian_weights(gramian, method, parameter, draws, targets)
