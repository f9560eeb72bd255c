from __future__ import annotations

import math

import numpy as np
import pytest

from mtlbench.core.metrics import metric
from mtlbench.core.metrics.base import LineMetric


def value(name: str, target: object, score: object) -> float:
    found = metric(name)
    assert isinstance(found, LineMetric)
    return found.compute(np.array(target, dtype=float), np.array(score, dtype=float))


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ((0, 0, 2, 2), 100),
        ((1, 1, 3, 3), 100 / 7),  # 1 of 4 + 4 - 1
        ((0, 0, 1, 2), 50),
        ((2, 0, 4, 2), 0),  # side by side
        ((2, 2, 0, 0), 0),  # corners in the wrong order
        ((5, 5, 6, 6), 0),
    ],
)
def test_intersection_over_union(score: tuple[float, ...], expected: float) -> None:
    assert value("box_iou", [(0, 0, 2, 2)], [score]) == pytest.approx(expected)
    assert value("box_iou", [(0, 0, 2, 2)] * 2, [score, (0, 0, 2, 2)]) == pytest.approx((expected + 100) / 2)


def test_relative_error_leaves_targets_of_zero_out() -> None:
    assert value("relative_error", [[2], [4], [0]], [[1], [5], [9]]) == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert math.isnan(value("relative_error", [[0]], [[1]]))


def turned(degrees: float, length: float = 1) -> tuple[float, float, float]:
    return length * math.cos(math.radians(degrees)), length * math.sin(math.radians(degrees)), 0


def test_angles() -> None:
    found = [turned(0, 5), turned(10), turned(-20, 0.1), turned(29), turned(180), (0, 0, 0)]
    target = [turned(0)] * len(found)
    assert value("angle_mean", target, found) == pytest.approx((0 + 10 + 20 + 29 + 180 + 90) / 6)
    assert value("angle_median", target, found) == pytest.approx((20 + 29) / 2)
    shares = [value(f"within_{limit}", target, found) for limit in ("11.25", "22.5", "30")]
    assert shares == pytest.approx([200 / 6, 300 / 6, 400 / 6])
