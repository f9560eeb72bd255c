"""One shared weight vector, and one for every task around it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from ...core.task import TaskSpec
from .base import Candidates, Fit, Parameters, RelationLearner
from .solve import solve
from .statistics import Statistics


class SharedSpecific(RelationLearner):
    """Shared plus task-specific weights w_t = u + v_t, each with a ridge penalty of its own.

    min Σ_t ‖y_t - X_t (u + v_t)‖² + λ_u ‖u‖² + λ_v Σ_t ‖v_t‖². A large λ_v gives pooled ridge, a large λ_u ridge per
    task. Source: Evgeniou and Pontil, Regularized multi-task learning, KDD 2004, with squared errors in place of the
    hinge loss; their λ_2 is λ_u, their λ_1 / T is λ_v. Columns of different meaning (several outputs) share u as well.
    """

    searched: ClassVar[tuple[str, ...]] = ("offset", "shared", "specific")

    shared: Candidates = Field((1.0, 10.0, 100.0), description="values to try for λ_u")
    specific: Candidates = Field((10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0), description="values to try for λ_v")

    def fit(self, statistics: Statistics, tasks: tuple[TaskSpec, ...], parameters: Parameters) -> Fit:
        """Weights under the covariance 1/λ_u + δ_st/λ_v of columns s and t."""
        columns = len(statistics.moment)
        covariance = np.full((columns, columns), 1 / parameters["shared"]) + np.eye(columns) / parameters["specific"]
        return Fit(solve(statistics, covariance))
