"""Joint feature selection: a feature is used by all tasks or by none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from ...core.task import TaskSpec
from .base import Fit, Parameters, RelationLearner, Shares
from .proximal import fista
from .statistics import Statistics

if TYPE_CHECKING:
    from ...core.task import Array


class L21(RelationLearner):
    """Joint feature selection: the L2,1 norm of the weights drops a feature from all tasks at once.

    min ½ Σ_t ‖y_t - X_t w_t‖² + λ Σ_d ‖W_d‖, W_d the weights of feature d in all tasks. Where tasks share their inputs
    it is scikit-learn's MultiTaskLasso with alpha = λ / N. Source: Obozinski, Taskar and Jordan, Multi-task feature
    selection, technical report, 2006; Argyriou, Evgeniou and Pontil, Convex multi-task feature learning, Machine
    Learning 2008. Offsets are penalised like the weights of one more feature.
    """

    searched: ClassVar[tuple[str, ...]] = ("offset", "share")

    share: Shares = Field(
        (0.3, 0.1, 0.05, 0.02, 0.01, 0.003), description="values to try for λ, as a share of the least that gives W = 0"
    )
    tolerance: float = Field(1e-4, gt=0, description="relative change of the weights at which iteration stops")
    steps: int = Field(5000, ge=1, description="proximal gradient steps, at most")

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """Weights in which whole features are zero."""
        least = float(np.linalg.norm(statistics.moment, axis=0).max())
        weights = fista(statistics, _shrunk, parameters["share"] * least, self.tolerance, self.steps)
        return Fit(weights, parameters=int(np.count_nonzero(weights)))


def _shrunk(weights_CD: Array, by: float) -> Array:
    """Every feature's weight vector, shortened by ``by`` (group soft thresholding)."""
    lengths = np.linalg.norm(weights_CD, axis=0)
    shrunk: Array = weights_CD * np.maximum(1 - by / np.maximum(lengths, 1e-300), 0.0)
    return shrunk
