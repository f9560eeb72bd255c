"""Weights under a non-smooth penalty with a simple proximal operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .statistics import Statistics

if TYPE_CHECKING:
    from ...core.task import Array

Proximal = Callable[["Array", float], "Array"]


def fista(statistics: Statistics, proximal: Proximal, penalty: float, tolerance: float, steps: int) -> Array:
    """argmin over W [C, D] of ½ Σ_c ‖y_c - X_c w_c‖² + penalty · Ω(W), by accelerated proximal gradient steps.

    proximal(V, a) = argmin ½ ‖W - V‖² + a Ω(W). Step size 1/L, L the largest eigenvalue of any G_c; momentum restarts
    when it points uphill; stops at a step shorter than ``tolerance`` times the norm of W. Source: Beck and Teboulle, A
    fast iterative shrinkage-thresholding algorithm, 2009; restarts: O'Donoghue and Candès, 2015, Section 3.2.
    """
    length = 1 / max(float(np.linalg.eigvalsh(statistics.gram)[:, -1].max()), 1e-300)
    weights = ahead = np.zeros_like(statistics.moment)
    momentum = 1.0
    for _ in range(steps):
        slope = statistics.apply(ahead) - statistics.moment
        before, weights = weights, proximal(ahead - length * slope, length * penalty)
        moved = weights - before
        if np.linalg.norm(moved) <= tolerance * np.linalg.norm(weights):
            break
        if ((ahead - weights) * moved).sum() > 0:
            momentum, ahead = 1.0, weights
            continue
        momentum, last = (1 + (1 + 4 * momentum**2) ** 0.5) / 2, momentum
        ahead = weights + (last - 1) / momentum * moved
    return weights
