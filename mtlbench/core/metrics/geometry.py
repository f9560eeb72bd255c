"""Metrics of what lies where: boxes, depths and directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def box_iou(target: Array, score: Array) -> float:
    """Mean over rows of intersection over union of two boxes [M, 4] (x0, y0, x1, y1), in percent.

    A predicted box whose corners are in the wrong order has no area, hence no intersection.
    Source: Everingham et al., The Pascal Visual Object Classes Challenge, 2010, equation 4.
    """
    import numpy as np

    low, high = np.maximum(target[:, :2], score[:, :2]), np.minimum(target[:, 2:], score[:, 2:])
    shared = _area(low, high)
    union = _area(target[:, :2], target[:, 2:]) + _area(score[:, :2], score[:, 2:]) - shared
    return float((shared / np.maximum(union, 1e-12)).mean() * 100)


def _area(low: Array, high: Array) -> Array:
    return (high - low).clip(0).prod(axis=1)


def relative_error(target: Array, score: Array) -> float:
    """Mean of |target - prediction| / |target| over the targets that are not 0; NaN where all are.

    Source: Eigen, Puhrsch and Fergus, Depth Map Prediction from a Single Image, 2014, section 4.2.
    """
    known = target != 0
    return float((abs(target - score)[known] / abs(target[known])).mean()) if known.any() else float("nan")


def angles(target: Array, score: Array) -> Array:
    """Angles in degrees [M] between vectors [M, K]; a vector of length 0 is at right angles to all.

    Source: Fouhey, Gupta and Hebert, Data-Driven 3D Primitives for Single Image Understanding, 2013: the mean, the
    median and the share below 11.25, 22.5 and 30 degrees.
    """
    import numpy as np

    lengths = np.linalg.norm(target, axis=1) * np.linalg.norm(score, axis=1)
    cosines = (target * score).sum(1) / np.maximum(lengths, 1e-12)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def angle_mean(target: Array, score: Array) -> float:
    """Mean angle."""
    return float(angles(target, score).mean())


def angle_median(target: Array, score: Array) -> float:
    """Median angle."""
    import numpy as np

    return float(np.median(angles(target, score)))


def angle_within(limit: float, target: Array, score: Array) -> float:
    """Angles below ``limit`` degrees, in percent."""
    return float((angles(target, score) < limit).mean() * 100)
