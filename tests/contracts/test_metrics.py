"""Every row of the table of metrics, against the oracle that it brings along."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from mtlbench.core.metrics import TABLE, MetricError, metric
from mtlbench.core.metrics.base import CountMetric, LineMetric, RowMetric, predicted
from mtlbench.core.task import TaskSpec

LOSSES = {"classification": "cross_entropy", "binary": "bce_with_logits", "regression": "mse"}
UNITS = {"%", "", "1", "°"}
SIZES = (1, 2, 7, 64)
FLOATS = ("float32", "float64")
Array = np.ndarray[Any, Any]
Example = tuple[Array, Array]


def fits(name: str, loss: str, outputs: int, **more: Any) -> bool:
    try:
        return bool(TaskSpec("task", outputs, loss, (name,), **more))
    except MetricError:
        return False


def lines(name: str) -> LineMetric:
    found = metric(name)
    assert isinstance(found, LineMetric)
    return found


ON_LINES = [
    (name, kind, outputs)
    for name in TABLE
    if isinstance(metric(name), LineMetric)
    for kind, loss in LOSSES.items()
    for outputs in ((1,) if kind == "binary" else (1, 2, 3, 4, 9) if kind == "regression" else (2, 3, 9))
    if fits(name, loss, outputs)
]
COUNTED = [case for case in ON_LINES if isinstance(metric(case[0]), CountMetric)]
POOLED = [case for case in ON_LINES if metric(case[0]).power]
ON_ROWS = [name for name in TABLE if isinstance(metric(name), RowMetric)]


def example(name: str, kind: str, outputs: int, rows: int, seed: int = 0) -> Example:
    """Labels and predictions of a metric; of classes, one is absent where there are few rows."""
    rng = np.random.default_rng([seed, rows, outputs])
    drawn = lines(name).sample(rng, rows)
    if drawn is not None:
        return drawn
    if kind == "regression":
        target = rng.standard_normal((rows, outputs))
        return target, target + rng.standard_normal((rows, outputs)) * rng.random((rows, 1))
    if kind == "binary":
        return rng.integers(0, 2, rows).astype("float32"), rng.random(rows)
    scores = rng.random((rows, outputs))
    return rng.integers(0, outputs, rows), scores / scores.sum(1, keepdims=True)


def perfect(kind: str, outputs: int, target: Array) -> Array:
    return np.eye(outputs)[target] if kind == "classification" else target


def absent(kind: str, target: Array) -> Iterator[Array]:
    """The same labels without the first class, and without any but the first."""
    if kind == "classification":
        yield np.maximum(target, 1)
    if kind != "regression":
        yield np.zeros_like(target)


def better(name: str, one: float, other: float) -> bool:
    return one >= other if metric(name).higher_is_better else one <= other


@pytest.mark.parametrize("name", TABLE)
def test_it_says_what_it_is(name: str) -> None:
    found = metric(name)
    assert inspect.getdoc(type(found))
    assert isinstance(found.higher_is_better, bool)
    assert found.unit in UNITS
    assert set(found.kinds) <= set(LOSSES)
    assert name in {case[0] for case in ON_LINES} | set(ON_ROWS), "no task that it fits was found: see needs"
    assert {kind for case, kind, _ in ON_LINES if case == name} in (set(found.kinds), set())


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("name", "kind", "outputs"), ON_LINES)
def test_as_its_oracle_has_it(name: str, kind: str, outputs: int, dtype: str) -> None:
    for rows in SIZES:
        target, score = example(name, kind, outputs, rows)
        score = score.astype(dtype)
        target = target.astype(dtype) if kind == "regression" else target
        for labels in (target, *absent(kind, target)):
            expected = lines(name).oracle(labels, score)
            assert expected is not None, f"metric '{name}' brings no oracle: override LineMetric.oracle"
            value = lines(name).compute(labels, score)
            assert isinstance(value, float)
            assert value == pytest.approx(expected, rel=1e-4 if dtype == "float32" else 1e-9, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize(("name", "kind", "outputs"), ON_LINES)
def test_labels_decide(name: str, kind: str, outputs: int) -> None:
    """A metric that is not undefined everywhere, and not the same for everything."""
    values = {lines(name).compute(*example(name, kind, outputs, 64, seed)) for seed in range(4)}
    assert len(values) > 1
    assert all(map(math.isfinite, values))


@pytest.mark.parametrize(("name", "kind", "outputs"), ON_LINES)
def test_a_perfect_prediction_is_best(name: str, kind: str, outputs: int) -> None:
    for seed in range(5):
        target, score = example(name, kind, outputs, 64, seed)
        best = lines(name).compute(target, perfect(kind, outputs, target))
        assert better(name, best, lines(name).compute(target, score))
        if metric(name).unit == "%":
            assert best == pytest.approx(100)


@pytest.mark.parametrize(("name", "kind", "outputs"), COUNTED)
def test_counts_say_what_predictions_say(name: str, kind: str, outputs: int) -> None:
    found = metric(name)
    assert isinstance(found, CountMetric)
    for rows in SIZES:
        target, score = example(name, kind, outputs, rows)
        for labels in (target, *absent(kind, target)):
            confusion = confusion_matrix(labels, predicted(score), labels=range(max(outputs, 2)))
            assert found.counted(confusion) == pytest.approx(found.compute(labels, score), rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize(("name", "kind", "outputs"), POOLED)
def test_parts_combine_by_the_power(name: str, kind: str, outputs: int) -> None:
    target, score = example(name, kind, outputs, 64)
    cuts = list(pairwise((0, 5, 40, 64)))
    parts = [lines(name).compute(target[a:b], score[a:b]) for a, b in cuts]
    power = metric(name).power
    total = sum((b - a) * part**power for (a, b), part in zip(cuts, parts, strict=True)) / 64
    assert total ** (1 / power) == pytest.approx(lines(name).compute(target, score))


def rows_of(name: str, rows: int, seed: int = 0) -> tuple[RowMetric, Array, Array, Sequence[str]]:
    found = metric(name)
    assert isinstance(found, RowMetric)
    drawn = found.sample(np.random.default_rng([seed, rows]), rows)
    assert drawn is not None, f"metric '{name}' brings no example: override RowMetric.example"
    return found, *drawn


@pytest.mark.parametrize("name", ON_ROWS)
def test_rows_as_the_oracle_has_them(name: str) -> None:
    for rows in SIZES:
        for seed in range(20):
            found, target, guess, classes = rows_of(name, rows, seed)
            for labels in (target, np.zeros_like(target), np.full_like(target, -1)):
                expected = found.oracle(labels, guess, classes)
                assert expected is not None, f"metric '{name}' brings no oracle: override RowMetric.oracle"
                assert found.compute(labels, guess, classes) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", ON_ROWS)
def test_a_perfect_prediction_of_rows_is_best_and_others_differ(name: str) -> None:
    found, target, guess, classes = rows_of(name, 64)
    best, value = found.compute(target, np.maximum(target, 0), classes), found.compute(target, guess, classes)
    assert best != value
    assert better(name, best, value)


@pytest.mark.parametrize("name", ON_ROWS)
def test_the_example_of_rows_is_of_a_task_that_fits(name: str) -> None:
    _, target, _, classes = rows_of(name, 7)
    positions = target.shape[1:]
    assert fits(name, "cross_entropy", len(classes), classes=tuple(classes), positions=positions)
