"""Ridge regression per task and pooled, and what all learners without gradients share: rows, folds, outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Theirs

from mtlbench.core.errors import MtlbenchError
from mtlbench.core.task import Outline, Split, TaskSpec
from mtlbench.learners.ridge import Ridge
from mtlbench.learners.rows import as_numbers, as_outputs, read_rows
from tests.learners.relation_data import FOLDS, alike, chosen, one_input, run, scores
from tests.toy_data import NAMES, in_memory, inputs_by_task, make, shared_inputs


def rmse_of(models: dict[str, tuple[Theirs, np.ndarray, np.ndarray]], noise: float = 0.5) -> dict[str, float]:
    """Test error, in points, of scikit-learn's models with the mean and deviation of their inputs."""
    data, found = alike(noise=noise), {}
    inputs, targets = inputs_by_task(data.test), in_memory(data.test).targets
    for task in data.outline.tasks:
        model, mean, deviation = models[task.name]
        predicted = model.predict((inputs[task.name] - mean) / deviation)
        found[task.name] = task.scale * float(((predicted - targets[task.name][:, 0]) ** 2).mean() ** 0.5)
    return found


def fitted(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[Theirs, np.ndarray, np.ndarray]:
    x, y = x.astype("float64"), y[:, 0].astype("float64")
    mean, deviation = x.mean(0), x.std(0)
    return Theirs(alpha=penalty).fit((x - mean) / deviation, y), mean, deviation


def test_per_task_is_scikit_learns_ridge() -> None:
    train = alike().train
    inputs, targets = inputs_by_task(train), in_memory(train).targets
    theirs = {name: fitted(inputs[name], targets[name], 3.0) for name in alike().outline.names}
    assert scores(run(Ridge(penalty=(3.0,)), alike())) == pytest.approx(rmse_of(theirs), rel=1e-5)


def test_pooled_is_scikit_learns_ridge_on_all_rows() -> None:
    train = alike().train
    x, y = (np.concatenate(list(part.values())) for part in (inputs_by_task(train), in_memory(train).targets))
    theirs = dict.fromkeys(alike().outline.names, fitted(x, y, 3.0))
    assert scores(run(Ridge(scope="pooled", penalty=(3.0,)), alike())) == pytest.approx(rmse_of(theirs), rel=1e-5)


def test_one_penalty_for_all_is_chosen_on_the_held_out_rows_of_all() -> None:
    data, penalties = alike(noise=3.0), (0.1, 3.0, 30.0, 300.0)
    rows = read_rows(data.train, data.outline, FOLDS, seed=0)
    everything = np.concatenate([part.x for part in rows.values()])
    mean, deviation = everything.mean(0), everything.std(0)
    errors = dict.fromkeys(penalties, 0.0)
    for penalty in penalties:
        for part in rows.values():
            x = (part.x - mean) / deviation
            for fold in range(FOLDS):
                held = part.fold == fold
                model = Theirs(alpha=penalty).fit(x[~held], part.y[~held, 0])
                errors[penalty] += float(((model.predict(x[held]) - part.y[held, 0]) ** 2).sum())
    best = min(errors, key=lambda penalty: errors[penalty])
    found = run(Ridge(scope="one_penalty", penalty=penalties, folds=FOLDS), data)
    assert chosen(found) == {"penalty": best}
    theirs = {
        name: (Theirs(alpha=best).fit((part.x - mean) / deviation, part.y[:, 0]), mean, deviation)
        for name, part in rows.items()
    }
    assert scores(found) == pytest.approx(rmse_of(theirs, noise=3.0), rel=1e-5)
    separate = run(Ridge(penalty=penalties, folds=FOLDS), data)
    apart = {record.value for record in separate if record.metric == "chosen_penalty"}
    assert len(apart) > 1  # so that one penalty is another choice


def test_a_task_alone_is_fitted_as_among_others() -> None:
    together = scores(run(Ridge(), alike()))
    for task in alike().outline.names:
        assert scores(run(Ridge(), alike().only((task,)))) == {task: together[task]}


def test_the_penalty_with_the_least_held_out_error_is_chosen() -> None:
    data, penalties = alike(tasks=1, noise=3.0), (0.1, 3.0, 30.0, 300.0)
    rows = read_rows(data.train, data.outline, FOLDS, seed=0)["t0"]
    x = (rows.x - rows.x.mean(0)) / rows.x.std(0)
    errors = dict.fromkeys(penalties, 0.0)
    for penalty in penalties:
        for fold in range(FOLDS):
            held = rows.fold == fold
            model = Theirs(alpha=penalty).fit(x[~held], rows.y[~held, 0])
            errors[penalty] += float(((model.predict(x[held]) - rows.y[held, 0]) ** 2).sum())
    found = run(Ridge(penalty=penalties, folds=FOLDS), data)
    assert chosen(found) == {"penalty": min(errors, key=lambda penalty: errors[penalty])}
    (error,) = (record.value for record in found if record.metric == "cross_validation_error")
    assert error == pytest.approx(min(errors.values()) / len(x), rel=1e-6)


def test_folds_hold_out_whole_rows_of_shared_inputs_and_deal_evenly() -> None:
    data = one_input(rows=62)
    rows = list(read_rows(data.train, data.outline, 5, seed=0).values())
    for part in rows:
        np.testing.assert_array_equal(part.fold, rows[0].fold)
        assert sorted(np.bincount(part.fold)) == [12, 12, 12, 13, 13]
    other = read_rows(data.train, data.outline, 5, seed=1)["t0"]
    assert (other.fold != rows[0].fold).any()


@pytest.mark.parametrize("form", ["masked", "stream", "sets", "images"])
def test_rows_are_those_that_carry_a_label(form: str) -> None:
    data = make(form)
    whole = in_memory(make("shared").train if form == "stream" else data.train)
    rows = read_rows(data.train, data.outline, 3, seed=0)
    for name in NAMES:
        inputs = inputs_by_task(whole)[name] if form == "sets" else shared_inputs(whole)
        known = whole.masks.get(name, np.ones(len(inputs), dtype=bool))
        np.testing.assert_array_equal(rows[name].x, inputs[known].reshape(known.sum(), -1))
        np.testing.assert_array_equal(rows[name].y, whole.targets[name][known])


def test_a_task_without_training_labels_is_said() -> None:
    data = one_input()
    masks = {"t1": np.zeros(60, dtype=bool)}
    hidden = replace(data, train=Split(shared_inputs(data.train), in_memory(data.train).targets, masks))
    with pytest.raises(MtlbenchError, match="tasks t1: expected labelled training rows, got none"):
        run(Ridge(), hidden)


def test_one_row_and_constant_features_are_no_trouble() -> None:
    data = alike(tasks=2)
    train = Split(
        {name: np.concatenate([x[:1], 0 * x[:1] + 7], axis=1) for name, x in inputs_by_task(data.train).items()},
        {name: y[:1] for name, y in in_memory(data.train).targets.items()},
    )
    test = Split(
        {name: np.concatenate([x, 0 * x + 7], axis=1) for name, x in inputs_by_task(data.test).items()},
        in_memory(data.test).targets,
    )
    outline = Outline(data.outline.tasks, dict.fromkeys(data.outline.names, (8,)), 60)
    found = scores(run(Ridge(), type(data)(outline, train, test, test)))
    assert all(np.isfinite(list(found.values())))


def test_classes_become_indicators_and_indicators_logits() -> None:
    many, two = TaskSpec("many", 3, "cross_entropy"), TaskSpec("two", 1, "bce_with_logits")
    np.testing.assert_array_equal(as_numbers(many, np.array([2, 0])), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(as_numbers(two, np.array([1.0, 0.0], dtype="float32")), [[1], [0]])
    logits = as_outputs(many, np.array([[0.2, 0.7, -3.0]]))
    np.testing.assert_allclose(np.exp(logits), [[0.2, 0.7, 0.01]])
    np.testing.assert_allclose(as_outputs(two, np.array([[0.5], [2.0]])), [[0], [np.log(99)]])


def test_what_does_not_suit_is_said() -> None:
    tokens = Outline((TaskSpec("a", 2, "cross_entropy"),), (5,), 10, vocabulary=9)
    tags = Outline((TaskSpec("a", 2, "cross_entropy", positions=(5,)),), (5,), 10)
    kinds = Outline((TaskSpec("a", 1, "mse"), TaskSpec("b", 2, "mse")), (5,), 10)
    widths = Outline((TaskSpec("a", 1, "mse"), TaskSpec("b", 1, "mse")), {"a": (5,), "b": (6,)}, 10)
    large = Outline((TaskSpec("a", 1, "mse"),), (3, 100, 100), 10)
    assert "got token ids; use a gradient learner" in next(Ridge().check(tokens))
    assert "got labels at every position" in next(Ridge().check(tags))
    assert "expected tasks of one kind to pool" in next(Ridge(scope="pooled").check(kinds))
    assert "as many features in every task, got 5 to 6" in next(Ridge(scope="pooled").check(widths))
    assert "features² of at most 20,000,000, got 900,060,001" in next(Ridge().check(large))
    for outline in (kinds, widths):
        assert not list(Ridge().check(outline))
