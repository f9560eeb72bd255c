"""Metrics of what lies where: boxes and directions."""

from __future__ import annotations

from math import acos, degrees, hypot
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, ClassVar

from .base import Kind, LineMetric

if TYPE_CHECKING:
    import numpy as np

    from ..task import TaskSpec

    Array = np.ndarray[Any, Any]


class BoxIou(LineMetric):
    """Mean over rows of intersection over union of two boxes [M, 4] (x0, y0, x1, y1).

    A predicted box whose corners are in the wrong order has no area, hence no intersection.

    Source: Everingham et al., The Pascal Visual Object Classes Challenge, 2010, equation 4.
    """

    higher_is_better: ClassVar[bool] = True
    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    unit: ClassVar[str] = "%"

    def needs(self, task: TaskSpec) -> str:
        """Two corners."""
        return "" if task.outputs == 4 else "4 values, x0, y0, x1 and y1"

    def compute(self, target: Array, score: Array) -> float:
        """mean of |target ∩ prediction| / |target ∪ prediction|."""
        import numpy as np

        low, high = np.maximum(target[:, :2], score[:, :2]), np.minimum(target[:, 2:], score[:, 2:])
        shared = _area(low, high)
        union = _area(target[:, :2], target[:, 2:]) + _area(score[:, :2], score[:, 2:]) - shared
        return float((shared / np.maximum(union, 1e-12)).mean() * 100)

    def oracle(self, target: Array, score: Array) -> float:
        """Box by box."""
        shares = []
        for (a0, b0, a1, b1), (c0, d0, c1, d1) in zip(target.tolist(), score.tolist(), strict=True):
            shared = max(0.0, min(a1, c1) - max(a0, c0)) * max(0.0, min(b1, d1) - max(b0, d0))
            areas = [max(0.0, x1 - x0) * max(0.0, y1 - y0) for x0, y0, x1, y1 in ((a0, b0, a1, b1), (c0, d0, c1, d1))]
            shares.append(shared / (sum(areas) - shared))
        return 100 * fmean(shares)

    def sample(self, rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
        """Boxes, and some that overlap with them; corners of predictions may be in the wrong order."""
        import numpy as np

        low, size = rng.random((rows, 2)), 0.1 + rng.random((rows, 2))
        target = np.concatenate([low, low + size], axis=1)
        return target, target + 0.3 * rng.standard_normal(target.shape)


def _area(low: Array, high: Array) -> Array:
    area: Array = (high - low).clip(0).prod(axis=1)
    return area


def angles(target: Array, score: Array) -> Array:
    """Angles in degrees [M] between vectors [M, K]; a vector of length 0 is at right angles to all."""
    import numpy as np

    lengths = np.linalg.norm(target, axis=1) * np.linalg.norm(score, axis=1)
    cosines = (target * score).sum(1) / np.maximum(lengths, 1e-12)
    degrees: Array = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return degrees


def _angles_one_by_one(target: Array, score: Array) -> list[float]:
    found = []
    for one, other in zip(target.tolist(), score.tolist(), strict=True):
        length = hypot(*one) * hypot(*other)
        product = sum(a * b for a, b in zip(one, other, strict=True))
        found.append(degrees(acos(max(-1.0, min(1.0, product / length)))) if length else 90.0)
    return found


class _OfAngles(LineMetric):
    """What metrics of angles have in common: they lie between vectors."""

    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)

    def needs(self, task: TaskSpec) -> str:
        """A direction."""
        return "" if task.outputs > 1 else "2 or more values, a vector"


class AngleMean(_OfAngles):
    """Mean angle between vectors.

    Source: Fouhey, Gupta and Hebert, Data-Driven 3D Primitives for Single Image Understanding, 2013.
    """

    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "°"

    def compute(self, target: Array, score: Array) -> float:
        """Mean over rows."""
        return float(angles(target, score).mean())

    def oracle(self, target: Array, score: Array) -> float:
        """One by one."""
        return fmean(_angles_one_by_one(target, score))


class AngleMedian(_OfAngles):
    """Median angle between vectors.

    Source: Fouhey, Gupta and Hebert, Data-Driven 3D Primitives for Single Image Understanding, 2013.
    """

    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "°"

    def compute(self, target: Array, score: Array) -> float:
        """Median over rows."""
        import numpy as np

        return float(np.median(angles(target, score)))

    def oracle(self, target: Array, score: Array) -> float:
        """One by one."""
        return median(_angles_one_by_one(target, score))


class Within30(_OfAngles):
    """Share of vectors that are less than 30 degrees apart.

    Source: Fouhey, Gupta and Hebert, Data-Driven 3D Primitives for Single Image Understanding, 2013.
    """

    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "%"
    limit: ClassVar[float] = 30

    def compute(self, target: Array, score: Array) -> float:
        """Angles below the limit, in percent."""
        return float((angles(target, score) < self.limit).mean() * 100)

    def oracle(self, target: Array, score: Array) -> float:
        """One by one."""
        return 100 * fmean(float(angle < self.limit) for angle in _angles_one_by_one(target, score))


class Within22(Within30):
    """Share of vectors that are less than 22.5 degrees apart.

    Source: Fouhey, Gupta and Hebert, Data-Driven 3D Primitives for Single Image Understanding, 2013.
    """

    limit: ClassVar[float] = 22.5


class Within11(Within30):
    """Share of vectors that are less than 11.25 degrees apart.

    Source: Fouhey, Gupta and Hebert, Data-Driven 3D Primitives for Single Image Understanding, 2013.
    """

    limit: ClassVar[float] = 11.25
