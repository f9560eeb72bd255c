"""Tasks in clusters that are learned with the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from ...core.task import TaskSpec
from .base import Candidates, Fit, Parameters, RelationLearner
from .solve import solve
from .statistics import Statistics

if TYPE_CHECKING:
    from ...core.task import Array


class Clustered(RelationLearner):
    """Tasks in a few clusters, learned with the weights (convex clustered multi-task learning).

    min over W and M of Σ_t ‖y_t - X_t w_t‖² + λ tr(W (η I + M)⁻¹ Wᵀ), 0 ≤ M ≤ I, tr M = k: the relaxation of k-means on
    the tasks' weights, with η I + M as their covariance. Convex; solved by alternating minimisation: W by ridge
    regression with that covariance, then M with the eigenvectors of WᵀW and eigenvalues min(max(s_i / ν - η, 0), 1),
    where s_i are the singular values of W and ν makes them sum to k.

    Source: Zhou, Chen and Ye, Clustered multi-task learning via alternating structure optimization, NeurIPS 2011,
    Section 3; Jacob, Bach and Vert, Clustered multi-task learning, NeurIPS 2008. Deviation: errors are summed over
    rows.
    """

    searched: ClassVar[tuple[str, ...]] = ("offset", "clusters", "eta", "penalty")

    clusters: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = Field(
        (1, 3), description="values to try for k"
    )
    eta: Candidates = Field((0.003, 0.03, 0.3), description="values to try for η: small keeps clusters tight")
    penalty: Candidates = Field((0.1, 1.0, 10.0, 100.0), description="values to try for λ")
    rounds: int = Field(20, ge=1, description="alternations of W and M, at most")
    tolerance: float = Field(1e-3, gt=0, description="relative change of M at which the alternation stops")

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """Alternating minimisation from M = (k / C) I; the covariance returned is the one updated by the last W."""
        columns = len(statistics.moment)
        clusters = min(parameters["clusters"], columns)
        relation = np.eye(columns) * (clusters / columns)
        for _ in range(self.rounds):
            covariance = relation + parameters["eta"] * np.eye(columns)
            weights = solve(statistics, covariance / parameters["penalty"])
            before, relation = relation, _relaxed_clusters(weights, clusters, parameters["eta"])
            if np.linalg.norm(relation - before) <= self.tolerance * np.linalg.norm(before):
                break
        return Fit(weights, relation + parameters["eta"] * np.eye(columns))


def _relaxed_clusters(weights_CD: Array, clusters: float, eta: float) -> Array:
    """The minimising M [C, C] for fixed weights."""
    basis, values, _ = np.linalg.svd(weights_CD, full_matrices=True)
    scales = np.zeros(len(basis))
    scales[: len(values)] = values
    low, high = 0.0, max(float(values[0]) / eta, 1e-300)  # bracket ν: at low all eigenvalues are 1, at high all are 0
    for _ in range(200):
        middle = (low + high) / 2
        shares = np.clip(scales / max(middle, 1e-300) - eta, 0.0, 1.0)
        low, high = (middle, high) if shares.sum() > clusters else (low, middle)
    missing = clusters - shares.sum()  # with few non-zero weights, the rest goes to directions that cost nothing
    idle = shares < 1
    shares[idle] += missing / max(idle.sum(), 1)
    relation: Array = (basis * shares) @ basis.T
    return relation
