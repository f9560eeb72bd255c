"""Boosting and forests: scikit-learn's own, task by task, on awkward labels too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, HistGradientBoostingRegressor

from mtlbench.core.errors import MtlbenchError
from mtlbench.core.record import Record
from mtlbench.core.seeding import derive
from mtlbench.core.task import Data, Outline, Split, TaskSpec
from mtlbench.learners.boosting import Boosting
from mtlbench.learners.forest import Forest
from mtlbench.learners.trees import Trees
from tests.learners.relation_data import run, scores
from tests.toy_data import in_memory, make, shared_inputs

TREES: list[Trees] = [Boosting(rows_of_leaf=5), Forest(trees=20)]


def xy(part: object, task: str, data: Data) -> tuple[np.ndarray, np.ndarray]:
    split = getattr(data, str(part))
    return shared_inputs(split).astype("float64"), in_memory(split).targets[task]


def test_boosting_is_scikit_learns_stopped_on_the_validation_split() -> None:
    data = make(rows=200)
    found = run(Boosting(), data)
    (x, y), (x_val, y_val), (x_test, y_test) = (xy(part, "kind", data) for part in ("train", "validation", "test"))
    model = HistGradientBoostingClassifier(max_iter=500, early_stopping=True, n_iter_no_change=10, random_state=0)
    model.fit(x, y, X_val=x_val, y_val=y_val)
    assert model.n_iter_ < 500
    assert scores(found, "accuracy")["kind"] == pytest.approx(100 * model.score(x_test, y_test))
    assert scores(found, "loss")["kind"] == pytest.approx(
        -np.log(model.predict_proba(x_test)[range(len(y_test)), y_test]).mean(), rel=1e-4
    )


def test_without_a_validation_split_every_tenth_row_says_when_to_stop() -> None:
    data = make(rows=200)
    part = in_memory(data.validation)
    nothing = Split(shared_inputs(part)[:0], {name: y[:0] for name, y in part.targets.items()})
    found = run(Boosting(), replace(data, validation=nothing))
    x, y = xy("train", "sum.total", data)
    held = np.arange(len(x)) % 10 == 9
    x_test, y_test = xy("test", "sum.total", data)
    errors = []
    for column in range(2):
        model = HistGradientBoostingRegressor(max_iter=500, early_stopping=True, random_state=0)
        model.fit(x[~held], y[~held, column], X_val=x[held], y_val=y[held, column])
        errors.append((2 * (model.predict(x_test) - y_test[:, column])) ** 2)  # the task's scale is 2
    assert scores(found)["sum.total"] == pytest.approx(np.mean(errors) ** 0.5, rel=1e-5)


def test_forests_are_scikit_learns() -> None:
    data = make(rows=100)
    x, y = xy("train", "sum.total", data)
    x_test, y_test = xy("test", "sum.total", data)
    seed = derive(3, "trees") % 2**32
    predicted = [
        ExtraTreesRegressor(n_estimators=20, random_state=seed).fit(x, y[:, column]).predict(x_test)
        for column in range(2)
    ]
    error = 2 * ((np.stack(predicted, axis=1) - y_test) ** 2).mean() ** 0.5
    assert scores(run(Forest(trees=20), data, seed=3))["sum.total"] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("learner", TREES, ids=lambda learner: type(learner).__name__)
@pytest.mark.parametrize("absent", ["in training", "in validation", "but one", "among nine tenths"])
def test_absent_classes_are_no_trouble(learner: Trees, absent: str) -> None:
    data = make(rows=60)
    train, validation = in_memory(data.train), in_memory(data.validation)
    y, y_val = train.targets["kind"].copy(), validation.targets["kind"].copy()
    if absent == "in training":
        y[y == 1] = 2
    elif absent == "in validation":
        y_val[:] = 0
    elif absent == "but one":
        y[:] = 1
    else:
        y[:] = np.where(np.arange(len(y)) % 10 == 9, 2, 1)
        validation = Split(shared_inputs(validation)[:0], {name: t[:0] for name, t in validation.targets.items()})
        y_val = y_val[:0]
    changed = replace(
        data,
        train=Split(train.inputs, {**train.targets, "kind": y}),
        validation=Split(validation.inputs, {**validation.targets, "kind": y_val}),
    )
    found = run(learner, changed)
    assert all(np.isfinite(record.value) for record in found)
    if absent == "but one":
        assert scores(found, "accuracy")["kind"] == 100 * (in_memory(data.test).targets["kind"] == 1).mean()


@pytest.mark.parametrize("learner", TREES, ids=lambda learner: type(learner).__name__)
def test_a_task_is_learned_alone_as_among_others(learner: Trees) -> None:
    data = make("masked", rows=120)

    def on_test(records: list[Record]) -> dict[tuple[str, str], float]:
        return {(r.task, r.metric): r.value for r in records if r.split == "test"}

    together = on_test(run(learner, data))
    for task in data.outline.names:
        alone = on_test(run(learner, data.only((task,))))
        assert alone == pytest.approx({key: value for key, value in together.items() if key[0] == task}, rel=1e-5)


@pytest.mark.parametrize("learner", TREES, ids=lambda learner: type(learner).__name__)
def test_what_does_not_suit_is_said(learner: Trees) -> None:
    tokens = Outline((TaskSpec("a", 2, "cross_entropy"),), (5,), 10, vocabulary=9)
    tags = Outline((TaskSpec("a", 2, "cross_entropy", positions=(5,)),), (5,), 10)
    hidden = Outline((TaskSpec("a", 2, "cross_entropy"),), (5,), 10, labelled={"a": 0})
    assert "got token ids; use a gradient learner" in next(learner.check(tokens))
    assert "got labels at every position" in next(learner.check(tags))
    assert "expected labelled training rows of every task, got none of a" in next(learner.check(hidden))
    data = make("masked")
    train = in_memory(data.train)
    without = Split(train.inputs, train.targets, {"kind": np.zeros(train.size, dtype=bool)})
    with pytest.raises(MtlbenchError, match="tasks kind: expected labelled training rows, got none"):
        run(learner, replace(data, train=without))


def test_boosting_stands_beside_flat_tables_that_are_not_too_large() -> None:
    tasks = (TaskSpec("a", 2, "cross_entropy"), TaskSpec("b", 3, "mse"))
    assert Boosting().beside(Outline(tasks, (10,), 1_000_000))
    assert not Boosting().beside(Outline(tasks, (10,), 1_000_001))
    assert not Boosting().beside(Outline(tasks, (1, 8, 8), 10))
    assert not Boosting().beside(Outline(tasks, {"a": (10,), "b": (10,)}, 10))
    assert not Forest().beside(Outline(tasks, (10,), 10))
