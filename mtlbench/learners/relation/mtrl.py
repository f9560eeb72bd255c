"""Learning the covariance of the tasks with their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from ...core.task import TaskSpec
from .base import Candidates, Fit, Parameters, RelationLearner
from .solve import solve
from .statistics import Statistics

if TYPE_CHECKING:
    from ...core.task import Array


_FIRST, _LAST = 0.1, 0.001  # smoothing, as shares of the largest singular value


class Mtrl(RelationLearner):
    """Learns the covariance Ω of the tasks with their weights (multi-task relationship learning).

    min over W and Ω of Σ_t ‖y_t - X_t w_t‖² + λ_1 ‖W‖² + λ_2 tr(W Ω⁻¹ Wᵀ), Ω positive semidefinite, tr Ω = 1. Convex;
    solved by alternating minimisation from Ω = I / T: W by ridge regression with covariance (λ_1 I + λ_2 Ω⁻¹)⁻¹, then
    Ω = (WᵀW)^½ / tr (WᵀW)^½.

    Source: Zhang and Yeung, A convex formulation for learning task relationships in multi-task learning, UAI 2010.
    Deviations: errors are summed over rows, not averaged within tasks; λ are half the paper's; offsets are penalised
    like weights; and the root is of WᵀW + ε² I, with ε decreasing from round to round, since with fewer features than
    tasks the iteration would never leave the span of the first weights (Argyriou, Evgeniou and Pontil, 2008, smooth in
    the same way).
    """

    searched: ClassVar[tuple[str, ...]] = ("offset", "ridge", "relation")

    ridge: Candidates = Field((1e-6, 10.0), description="values to try for λ_1")
    relation: Candidates = Field((0.1, 1.0, 3.0, 10.0, 30.0, 100.0), description="values to try for λ_2")
    rounds: int = Field(30, ge=1, description="alternations of W and Ω")

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """Alternating minimisation; the covariance returned is the one updated by the last W."""
        columns = len(statistics.moment)
        omega = np.eye(columns) / columns
        for smoothing in np.geomspace(_FIRST, _LAST, self.rounds):
            weights = solve(statistics, _prior(omega, parameters["ridge"], parameters["relation"]))
            omega = _covariance(weights, float(smoothing))
        return Fit(weights, omega)


def _prior(omega: Array, ridge: float, relation: float) -> Array:
    """(λ_1 I + λ_2 Ω⁻¹)⁻¹, also for a singular Ω."""
    scales, basis = np.linalg.eigh(omega)
    scales = np.maximum(scales, 0.0)
    inverse: Array = (basis * (scales / (ridge * scales + relation))) @ basis.T
    return inverse


def _covariance(weights_CD: Array, smoothing: float) -> Array:
    """(W Wᵀ + ε² I)^½ over the trace of (W Wᵀ)^½; a multiple of I if all weights are 0."""
    if not weights_CD.any():
        return np.eye(len(weights_CD)) / len(weights_CD)
    basis, values, _ = np.linalg.svd(weights_CD, full_matrices=True)
    scales = np.zeros(len(basis))
    scales[: len(values)] = values
    covariance: Array = (basis * (np.hypot(scales, smoothing * scales[0]) / scales.sum())) @ basis.T
    return covariance
