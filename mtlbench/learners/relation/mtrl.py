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


class Mtrl(RelationLearner):
    """Learns the covariance Ω of the tasks with their weights (multi-task relationship learning).

    min over W and Ω of Σ_t ‖y_t - X_t w_t‖² + λ_1 ‖W‖² + λ_2 tr(W Ω⁻¹ Wᵀ), Ω positive semidefinite, tr Ω = 1. Convex;
    solved by turns: W as ridge with covariance (λ_1 I + λ_2 Ω⁻¹)⁻¹, then Ω = (WᵀW)^½ / tr (WᵀW)^½, from Ω = I / T.

    Source: Zhang and Yeung, A convex formulation for learning task relationships in multi-task learning, 2010, Eqs. 6
    and 12. Deviations: errors are summed over rows, not averaged within tasks; offsets are penalised like weights.
    """

    searched: ClassVar[tuple[str, ...]] = ("offset", "ridge", "relation")

    ridge: Candidates = Field((1e-6, 30.0, 100.0), description="values to try for λ_1")
    relation: Candidates = Field((0.01, 0.1, 1.0, 10.0, 100.0), description="values to try for λ_2")
    rounds: int = Field(20, ge=1, description="turns of W and Ω, at most")
    tolerance: float = Field(1e-3, gt=0, description="relative change of Ω at which the turns end")

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """By turns; the last covariance is that of the last weights."""
        columns = len(statistics.moment)
        omega = np.eye(columns) / columns
        for _ in range(self.rounds):
            weights = solve(statistics, _prior(omega, parameters["ridge"], parameters["relation"]))
            before, omega = omega, _covariance(weights)
            if np.linalg.norm(omega - before) <= self.tolerance * np.linalg.norm(before):
                break
        return Fit(weights, omega)


def _prior(omega: Array, ridge: float, relation: float) -> Array:
    """(λ_1 I + λ_2 Ω⁻¹)⁻¹, also for a singular Ω."""
    scales, basis = np.linalg.eigh(omega)
    scales = np.maximum(scales, 0.0)
    return (basis * (scales / (ridge * scales + relation))) @ basis.T


def _covariance(weights_CD: Array) -> Array:
    """(W Wᵀ)^½ over its trace; no weights have no preference."""
    basis, scales, _ = np.linalg.svd(weights_CD, full_matrices=False)
    if not scales.any():
        return np.eye(len(weights_CD)) / len(weights_CD)
    return (basis * (scales / scales.sum())) @ basis.T
