"""Names of metrics: rows, a user's own, scikit-learn's scorers; and which tasks they fit."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
import sklearn.metrics
from pydantic import ValidationError

from mtlbench.core.errors import DataError
from mtlbench.core.metrics import SKLEARN, TABLE, MetricError, metric, misfit, scorers
from mtlbench.core.metrics.base import CLASSES, CountMetric, Kind, LineMetric
from mtlbench.core.task import TaskSpec
from mtlbench.problems import TABLE as PROBLEMS
from mtlbench.problems.tables.tasks import Target
from mtlbench.problems.text.corpora import Corpus
from mtlbench.screen.catalogue import catalogue
from mtlbench.screen.schema import json_schema


class Largest(LineMetric):
    """Largest error.

    Source: Author, Title, Venue 1999.
    """

    higher_is_better: ClassVar[bool] = False
    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)
    unit: ClassVar[str] = ""

    def compute(self, target: np.ndarray, score: np.ndarray) -> float:
        return float(abs(target - score).max())


class Silent(CountMetric):
    """Computes nothing."""


class Vague(LineMetric):
    """Says nothing of itself."""

    def compute(self, target: np.ndarray, score: np.ndarray) -> float:
        return 0.0


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> str:
    """A file and a row more."""
    module = ModuleType("largest")
    module.Largest = Largest  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "largest", module)
    monkeypatch.setattr(TABLE, "_rows", {**TABLE._rows, "largest": "largest:Largest"})
    return "largest"


def test_a_row_is_all_that_a_metric_needs(row: str) -> None:
    assert TaskSpec("t", 1, "mse", (row,)).main_metric == row
    assert Target.from_plain({"kind": "regression", "metrics": [row]}).metrics == (row,)
    diabetes = PROBLEMS.build({"name": "diabetes", "metrics": {"bmi": [row, "mae"]}})
    assert [task.metrics for task in diabetes.outline(Path()).tasks if task.name == "bmi"] == [(row, "mae")]
    [listed] = [entry for entry in catalogue("metrics") if entry.name == row]
    assert (listed.summary, listed.paper) == ("Largest error.", "Author, Title, Venue 1999")
    [offered, _] = json_schema()["$defs"]["problem.tabular.Target"]["properties"]["metrics"]["items"]["anyOf"]
    assert row in offered["enum"]
    with pytest.raises(ValidationError, match="unknown metric 'larget', did you mean 'largest'"):
        Target.from_plain({"metrics": ["larget"]})


def test_without_the_row_there_is_none() -> None:
    with pytest.raises(MetricError, match="task 't': unknown metric 'largest', expected one of accuracy, "):
        TaskSpec("t", 1, "mse", ("largest",))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{__name__}:Silent", "expected Silent to say counted, got none"),
        (f"{__name__}:Vague", "expected Vague to say higher_is_better, kinds, got none"),
        ("mtlbench.weightings.gramian:MGDA", "expected a subclass of LineMetric, CountMetric or RowMetric"),
        ("mtlbench.core.metrics:nothing", "cannot import 'mtlbench.core.metrics:nothing'"),
        ("f1_macro", "scikit-learn's scorer of that name is 'sklearn:f1_macro'"),
        ("sklearn:f1_marco", "has no scorer 'f1_marco', did you mean 'f1_macro'"),
    ],
)
def test_what_is_no_metric_is_told(name: str, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        metric(name)


@pytest.mark.parametrize(
    ("name", "outputs", "loss", "message"),
    [
        ("auc", 3, "cross_entropy", "expected 2 classes for metric 'auc', got a classification task of 3 outputs"),
        ("box_iou", 3, "mse", "expected 4 values, x0, y0, x1 and y1 for metric 'box_iou'"),
        ("angle_mean", 1, "mse", "expected 2 or more values, a vector for metric 'angle_mean'"),
        ("chunk_f1", 3, "cross_entropy", "expected a tag at every token for metric 'chunk_f1'"),
        ("rmse", 1, "bce_with_logits", "metric 'rmse' is for regression, not for binary: expected one of accuracy"),
        ("sklearn:f1", 3, "cross_entropy", "that scikit-learn's scorer takes .Target is multiclass"),
        ("sklearn:neg_max_error", 2, "mse", "that scikit-learn's scorer takes .Multioutput not supported"),
        ("sklearn:r2", 2, "cross_entropy", "metric 'sklearn:r2' is for regression, not for classification"),
        ("sklearn:top_k_accuracy", 1, "bce_with_logits", "that scikit-learn's scorer takes .'k' .2. greater than"),
    ],
)
def test_what_does_not_fit_is_told(name: str, outputs: int, loss: str, message: str) -> None:
    with pytest.raises(MetricError, match=f"task 't': .*{message}"):
        TaskSpec("t", outputs, loss, (name,))


def test_texts_take_every_metric_of_classes_and_no_other() -> None:
    chosen = ["mean_iou", "sklearn:f1_macro"]
    assert Corpus.from_plain({"train": "a.txt", "metrics": chosen}).metrics == tuple(chosen)
    with pytest.raises(ValidationError, match="metric 'mae' is for regression, not for binary or classification"):
        Corpus.from_plain({"train": "a.txt", "metrics": ["mae"]})


def test_tasks_are_chosen_by_name() -> None:
    with pytest.raises(DataError, match="metrics: no task 'digt', did you mean 'digit'"):
        PROBLEMS.build({"name": "digits", "metrics": {"digt": ["accuracy"]}}).outline(Path())
    with pytest.raises(MetricError, match="metrics: task 'digit': metric 'rmse' is for regression"):
        PROBLEMS.build({"name": "digits", "metrics": {"digit": ["rmse"]}}).outline(Path())


def test_what_is_not_chosen_is_not_part_of_a_trial() -> None:
    assert "metrics" not in PROBLEMS.build({"name": "digits"}).model_dump(mode="json", by_alias=True)
    chosen = PROBLEMS.build({"name": "digits", "metrics": {"loops": ["macro_f1"]}})
    assert chosen.model_dump(mode="json", by_alias=True)["metrics"] == {"loops": ["macro_f1"]}


def value(name: str, target: np.ndarray, score: np.ndarray) -> float:
    found = metric(SKLEARN + name)
    assert isinstance(found, LineMetric)
    assert found.higher_is_better
    return found.compute(target, score)


def test_every_scorer_is_for_values_or_for_classes() -> None:
    kinds = {name: scorers.scorer(name).kinds for name in scorers.names()}
    of_values = {name for name, fits in kinds.items() if fits == ("regression",)}
    errors = {name for name in kinds if "error" in name or "deviance" in name}
    assert of_values == errors | {"r2", "explained_variance", "d2_absolute_error_score"}
    assert {kinds[name] for name in kinds if name not in of_values} == {CLASSES}
    assert misfit("sklearn:r2", "binary")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scorers_see_what_they_ask_for(dtype: str) -> None:
    rng = np.random.default_rng(0)
    target, chance = rng.integers(0, 2, 50), rng.random(50).astype(dtype)
    both = np.stack([1 - chance, chance], axis=1)
    for score, labels in ((chance, target.astype("float32")), (both, target)):  # one probability; two classes
        expected = sklearn.metrics.average_precision_score(target, chance)
        assert value("average_precision", labels, score) == pytest.approx(expected)
        assert value("roc_auc", labels, score) == pytest.approx(sklearn.metrics.roc_auc_score(target, chance))
        assert value("f1", labels, score) == pytest.approx(sklearn.metrics.f1_score(target, chance > 0.5))
        assert value("neg_log_loss", labels, score) == pytest.approx(-sklearn.metrics.log_loss(target, chance))
    several = rng.random((50, 4)).astype(dtype)
    several /= several.sum(1, keepdims=True)
    classes = rng.integers(0, 4, 50)
    assert value("f1_macro", classes, several) == sklearn.metrics.f1_score(classes, several.argmax(1), average="macro")
    values = rng.standard_normal((2, 50, 3)).astype(dtype)
    expected = -sklearn.metrics.mean_squared_error(*values)
    assert value("neg_mean_squared_error", *values) == pytest.approx(expected)
    assert value("neg_max_error", *values[:, :, :1]) == -sklearn.metrics.max_error(*values[:, :, 0])


def test_a_scorer_is_undefined_where_scikit_learn_refuses_and_says_nothing_of_absent_classes() -> None:
    negative = -np.ones((5, 1))
    assert np.isnan(value("neg_mean_squared_log_error", negative * 2, negative * 3))
    assert np.isnan(value("neg_log_loss", np.zeros(5), np.full(5, 0.3)))
    assert np.isnan(value("roc_auc", np.zeros(5), np.full(5, 0.3)))
    assert value("balanced_accuracy", np.zeros(5), np.array([0.1, 0.2, 0.3, 0.8, 0.9])) == pytest.approx(0.6)
