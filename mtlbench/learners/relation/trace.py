"""Weights of low rank: every task's is a combination of a few common ones."""

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


class Trace(RelationLearner):
    """Weights in a common subspace of few dimensions: the trace norm, the sum of W's singular values.

    min ½ Σ_t ‖y_t - X_t w_t‖² + λ ‖W‖_*. Source: Argyriou, Evgeniou and Pontil, Convex multi-task feature learning,
    Machine Learning 2008; Ji and Ye, An accelerated gradient method for trace norm minimization, ICML 2009. Offsets are
    penalised like the weights of one more feature.
    """

    searched: ClassVar[tuple[str, ...]] = ("offset", "share")

    share: Shares = Field(
        (0.3, 0.1, 0.05, 0.02, 0.01, 0.003), description="values to try for λ, as a share of the least that gives W = 0"
    )
    tolerance: float = Field(1e-4, gt=0, description="relative change of the weights at which iteration stops")
    steps: int = Field(5000, ge=1, description="proximal gradient steps, at most")

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """Weights of low rank."""
        least = float(np.linalg.norm(statistics.moment, ord=2))
        return Fit(fista(statistics, _thresholded, parameters["share"] * least, self.tolerance, self.steps))


def _thresholded(weights_CD: Array, by: float) -> Array:
    """Singular value thresholding: every singular value lowered by ``by``, but not below 0."""
    left, values, right = np.linalg.svd(weights_CD, full_matrices=False)
    thresholded: Array = (left * np.maximum(values - by, 0.0)) @ right
    return thresholded
