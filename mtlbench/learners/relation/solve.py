"""Weights of all columns under a quadratic penalty that couples them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import MtlbenchError
from .statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.task import Array

    Operator = Callable[[Array], Array]

_TOLERANCE = 1e-7  # of the residual, relative to the right side
_STEPS = 20_000  # far more than well-posed penalties take


def solve(statistics: Statistics, covariance_CC: Array) -> Array:
    """argmin over W [C, D] of Σ_c ‖y_c - X_c w_c‖² + tr(Wᵀ S⁻¹ W), for a covariance S [C, C], which may be singular.

    W = R V with S = R Rᵀ, and (I + Rᵀ G R) V = Rᵀ b by conjugate gradients. The preconditioner replaces every G_c by
    their mean, so that columns with the same inputs are solved in one step. Raises MtlbenchError without convergence.
    """
    scales, basis = np.linalg.eigh(covariance_CC)
    positive = scales > 1e-12 * max(float(scales[-1]), 1e-300)
    root = basis[:, positive] * np.sqrt(scales[positive])
    curvature, axes = np.linalg.eigh(statistics.gram.mean(0))
    damping = 1 / (1 + np.outer(scales[positive], np.maximum(curvature, 0.0)))

    def operator(v: Array) -> Array:
        image: Array = v + root.T @ statistics.apply(root @ v)
        return image

    def precondition(r: Array) -> Array:
        scaled: Array = (r @ axes * damping) @ axes.T
        return scaled

    solution: Array = root @ _conjugate_gradients(operator, precondition, root.T @ statistics.moment)
    return solution


def _conjugate_gradients(operator: Operator, precondition: Operator, right: Array) -> Array:
    solution, residual = np.zeros_like(right), right.copy()
    direction = shaped = precondition(residual)
    size, small = (residual * shaped).sum(), _TOLERANCE * np.linalg.norm(right)
    for _ in range(_STEPS):
        if np.linalg.norm(residual) <= small:
            return solution
        image = operator(direction)
        step = size / (direction * image).sum()
        solution += step * direction
        residual -= step * image
        shaped = precondition(residual)
        size, before = (residual * shaped).sum(), size
        direction = shaped + size / before * direction
    raise MtlbenchError(
        f"expected conjugate gradients to converge in {_STEPS:,} steps, got a residual of "
        f"{np.linalg.norm(residual):.1e}: the penalty is too small for inputs that are so alike; try larger ones"
    )
