"""Learning the covariance of the tasks with their weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from ...core.task import TaskSpec
from .base import Candidates, Fit, Parameters, RelationLearner
from .proximal import fista
from .statistics import Statistics

if TYPE_CHECKING:
    from ...core.task import Array


_SMOOTHING = 1e-6  # of Ω, as a share of the largest singular value of W, so that no task has variance 0


class Mtrl(RelationLearner):
    """Learns the covariance Ω of the tasks with their weights (multi-task relationship learning).

    min over W and Ω of Σ_t ‖y_t - X_t w_t‖² + λ_1 ‖W‖² + λ_2 tr(W Ω⁻¹ Wᵀ), Ω positive semidefinite, tr Ω = 1. The best
    Ω of any W is (WᵀW)^½ / tr (WᵀW)^½, at which the last term is λ_2 ‖W‖_*², the squared sum of W's singular values.
    What remains is convex in W alone, and solved by accelerated proximal gradient steps.

    Source: Zhang and Yeung, A convex formulation for learning task relationships in multi-task learning, UAI 2010.
    Deviations: W and Ω are found together, where the paper alternates between them, which is slow once Ω is nearly
    singular; errors are summed over rows, not averaged within tasks; λ are half the paper's; offsets are penalised like
    weights.
    """

    searched: ClassVar[tuple[str, ...]] = ("offset", "ridge", "relation")

    ridge: Candidates = Field((1e-6, 10.0), description="values to try for λ_1")
    relation: Candidates = Field((0.1, 1.0, 3.0, 10.0, 30.0, 100.0), description="values to try for λ_2")
    tolerance: float = Field(1e-6, gt=0, description="relative change of the weights at which iteration stops")
    steps: int = Field(20_000, ge=1, description="proximal gradient steps, at most")

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """The minimum over W, and the covariance that is best for it."""
        damped = replace(statistics, gram=statistics.gram + parameters["ridge"] * np.eye(statistics.moment.shape[1]))
        weights = fista(damped, _shrunk, parameters["relation"] / 2, self.tolerance, self.steps)
        return Fit(weights, _covariance(weights))


def _shrunk(weights_CD: Array, by: float) -> Array:
    """argmin over W of ½ ‖W - V‖² + by ‖W‖_*²: every singular value s becomes max(s - 2 by S, 0), S their new sum.

    With the k largest above 0, S = (s_1 + … + s_k) / (1 + 2 by k); k is the largest number for which all k remain so.
    """
    left, values, right = np.linalg.svd(weights_CD, full_matrices=False)
    sums = values.cumsum() / (1 + 2 * by * np.arange(1, len(values) + 1))
    kept = int((values > 2 * by * sums).sum())
    total = sums[kept - 1] if kept else 0.0
    shrunk: Array = (left * np.maximum(values - 2 * by * total, 0.0)) @ right
    return shrunk


def _covariance(weights_CD: Array) -> Array:
    """(W Wᵀ + ε² I)^½ over the trace of (W Wᵀ)^½; a multiple of I if all weights are 0."""
    if not weights_CD.any():
        return np.eye(len(weights_CD)) / len(weights_CD)
    basis, values, _ = np.linalg.svd(weights_CD, full_matrices=True)
    scales = np.zeros(len(basis))
    scales[: len(values)] = values
    covariance: Array = (basis * (np.hypot(scales, _SMOOTHING * scales[0]) / scales.sum())) @ basis.T
    return covariance
