"""The constant predictor: the best constant of every loss by independent means, on every form of problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional

from mtlbench.core.losses import LOSSES
from mtlbench.core.task import Data, Outline, Split, TaskSpec
from mtlbench.learners.constant import Constant
from mtlbench.learners.constant_fits import fit_of
from tests.learners.relation_data import run, scores
from tests.toy_data import FORMS, POSITIONED, in_memory, make, stream, tasks_of

LOSS: dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda c, y: ((c - y) ** 2).mean(),
    "l1": lambda c, y: np.abs(c - y).mean(),
    "smooth_l1": lambda c, y: functional.smooth_l1_loss(torch.full((len(y),), c), torch.tensor(y), beta=0.7),
    "huber": lambda c, y: functional.huber_loss(torch.full((len(y),), c), torch.tensor(y), delta=0.7),
}


def best(task: TaskSpec, *batches: np.ndarray) -> np.ndarray:
    fit = fit_of(task)
    for batch in batches:
        fit.add(batch)
    return fit.best()


@pytest.mark.parametrize("loss", [name for name, row in LOSSES.items() if row.kind == "regression"])
def test_values_are_predicted_by_the_constant_of_least_loss(loss: str) -> None:
    y = np.random.default_rng(0).lognormal(size=(201, 2)).astype("float32")
    task = TaskSpec("t", 2, loss, beta=0.7 if LOSSES[loss].parameter else None)
    found = best(task, y[:50], y[50:])
    for column in range(2):
        line = y[:, column].astype("float64")
        least = minimize_scalar(lambda c, y: float(LOSS[loss](c, y)), args=(line,), bounds=(0, 5), method="bounded").fun
        assert float(LOSS[loss](found[column], line)) <= least + 1e-7


def test_directions_are_predicted_by_their_mean_whatever_their_lengths() -> None:
    y = np.random.default_rng(0).normal(size=(300, 3)) + np.array([1.0, 0.5, 0.0])
    lengths = np.random.default_rng(1).uniform(0.1, 9, size=(300, 1))
    task = TaskSpec("t", 3, "cosine")
    found = best(task, y * lengths)
    turned = np.random.default_rng(2).normal(size=(500, 3))

    def cosine(c: np.ndarray) -> float:
        return float((y @ c / np.linalg.norm(y, axis=1) / np.linalg.norm(c)).mean())

    assert all(cosine(found) >= cosine(found / np.linalg.norm(found) + 0.2 * other) for other in turned)


def test_classes_have_their_training_frequencies_and_one_row_more() -> None:
    many, two = TaskSpec("t", 3, "cross_entropy"), TaskSpec("t", 1, "bce_with_logits")
    np.testing.assert_allclose(np.exp(best(many, np.array([2, 2]), np.array([0]))), [2 / 6, 1 / 6, 3 / 6])
    np.testing.assert_allclose(best(two, np.array([1.0, 1.0, 0.0, 1.0])), [np.log(4 / 2)])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_task_without_labels_has_a_finite_prediction(loss: str) -> None:
    task = TaskSpec("t", 1 if LOSSES[loss].kind == "binary" else 3, loss)
    assert np.isfinite(best(task)).all()


@pytest.mark.parametrize("form", [*FORMS, *POSITIONED])
def test_metrics_are_those_of_the_majority_and_of_the_mean(form: str) -> None:
    data = make(form)
    found = run(Constant(), data)
    whole = make("shared") if form == "stream" else data
    for task in tasks_of(form):
        (trained, tested) = (known(task, in_memory(part)) for part in (whole.train, whole.test))
        if task.kind == "regression":
            error = (((tested - trained.mean(0)) * task.scale) ** 2).mean() ** 0.5
            assert scores(found, "rmse")[task.name] == pytest.approx(error, rel=1e-5)
        else:
            counts = np.bincount(trained.astype(int), minlength=max(task.outputs, 2))
            share = 100 * (tested == counts.argmax()).mean()
            assert scores(found, "accuracy")[task.name] == pytest.approx(share)
    if "auc" in tasks_of(form)[1].metrics:
        assert scores(found, "auc")["sign"] == 50


def test_auc_of_equal_scores_is_one_half_whatever_their_value() -> None:
    y = np.arange(1013) % 2
    outline = Outline((TaskSpec("t", 1, "bce_with_logits"),), (1,), len(y))
    inputs = np.zeros((len(y), 1), dtype="float32")
    test = Split(inputs, {"t": y.astype("float32")})
    for positive in range(140, 260):
        train = Split(inputs[:998], {"t": (np.arange(998) < positive).astype("float32")})
        assert scores(run(Constant(), Data(outline, train, test, test)), "auc")["t"] == 50


def known(task: TaskSpec, part: Split) -> np.ndarray:
    """The known labels, position by position."""
    target = part.targets[task.name]
    mask = part.masks.get(task.name, np.ones(len(target), dtype=bool))
    places = [(n, *where) for n in range(len(target)) for where in np.ndindex(*task.positions)]
    chosen = [place for place in places if mask[place[: mask.ndim]]]
    if task.kind == "regression":
        return np.array([[target[(n, column, *where)] for column in range(task.outputs)] for n, *where in chosen])
    return np.array([target[place] for place in chosen])


def test_streams_and_rows_in_memory_agree() -> None:
    data = make("pixels")
    streamed = Data(data.outline, *(stream(in_memory(part)) for part in (data.train, data.validation, data.test)))
    for metric in ("loss", "accuracy", "rmse"):
        assert scores(run(Constant(), streamed), metric) == pytest.approx(scores(run(Constant(), data), metric))


def test_it_stands_beside_every_problem() -> None:
    assert Constant().beside(Outline((TaskSpec("a", 2, "cross_entropy", positions=(4, 4)),), (3, 4, 4), 9))
