"""One SVM for all tasks against scikit-learn's at its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.svm import SVC, SVR

from mtlbench.core.errors import MtlbenchError
from mtlbench.core.task import Data, Outline, Split, Stream, TaskSpec
from mtlbench.learners.kernel_svm import KernelSvm
from tests.learners.relation_data import alike, chosen, one_input, run, scores
from tests.toy_data import in_memory, inputs_by_task, shared_inputs

WIDE: dict[str, Any] = {"gamma": (0.5,), "cost": (1.0,)}


def standardised(data: Data) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs of train and test by task, on the scale of all training rows."""
    whole = np.concatenate(list(inputs_by_task(data.train).values())).astype("float64")
    mean, deviation = whole.mean(0), whole.std(0)
    train, test = (
        {name: (x - mean) / deviation for name, x in inputs_by_task(part).items()} for part in (data.train, data.test)
    )
    return train, test


def test_a_large_mu_is_one_machine_that_knows_no_tasks() -> None:
    data = alike()
    train, test = standardised(data)
    targets = np.concatenate(list(in_memory(data.train).targets.values()))[:, 0]
    theirs = SVR(gamma=0.5 / 4, C=1.0).fit(np.concatenate(list(train.values())), targets)
    expected = {
        name: 2.0 * float(np.sqrt(((theirs.predict(test[name]) - target[:, 0]) ** 2).mean()))
        for name, target in in_memory(data.test).targets.items()
    }
    found = scores(run(KernelSvm(mu=(1e6,), gamma=(0.5,), cost=(1e-6,)), data))
    assert found == pytest.approx(expected, rel=1e-3)


def odd(part: Split | Stream) -> Split:
    """With every row also mirrored, x -> -x and y -> -y, so that machines have no offset."""
    inputs = {name: np.concatenate([x, -x]) for name, x in inputs_by_task(part).items()}
    return Split(inputs, {name: np.concatenate([y, -y]) for name, y in in_memory(part).targets.items()})


def test_a_small_mu_is_one_machine_a_task() -> None:
    data = replace(alike(tasks=3), train=odd(alike(tasks=3).train))
    train, test = standardised(data)
    expected = {}
    for name in data.outline.names:
        theirs = SVR(gamma=0.5 / 4, C=1.0).fit(train[name], in_memory(data.train).targets[name][:, 0])
        gap = theirs.predict(test[name]) - in_memory(data.test).targets[name][:, 0]
        expected[name] = 2.0 * float(np.sqrt((gap**2).mean()))
    assert scores(run(KernelSvm(mu=(1e-9,), **WIDE), data)) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("loss", "classes"), [("bce_with_logits", 2), ("cross_entropy", 3)])
def test_classes_are_scikit_learns(loss: str, classes: int) -> None:
    data = one_input(rows=90)
    y = np.digitize(in_memory(data.train).targets["t0"][:, 0], [-0.5, 0.5][: classes - 1])
    target = {"t0": y.astype("float32" if classes == 2 else "int64")}
    part = Split(shared_inputs(data.train), target)
    task = TaskSpec("t0", 1 if classes == 2 else classes, loss)
    x = shared_inputs(data.train).astype("float64")
    x = (x - x.mean(0)) / x.std(0)
    theirs = SVC(gamma=0.5 / 4, C=2.0, break_ties=True).fit(x, y)
    found = run(KernelSvm(mu=(1.0,), gamma=(0.5,), cost=(1.0,)), Data(Outline((task,), (4,), 90), part, part, part))
    assert scores(found, "accuracy") == {"t0": pytest.approx(100 * theirs.score(x, y))}


@pytest.mark.parametrize("seen", [0, 1])
def test_one_class_alone_is_predicted_everywhere(seen: int) -> None:
    data = one_input()
    part = Split(shared_inputs(data.train), {"t0": np.full(60, seen, dtype="float32")})
    outline = Outline((TaskSpec("t0", 1, "bce_with_logits", metrics=("accuracy",)),), (4,), 60)
    assert scores(run(KernelSvm(), Data(outline, part, part, part)), "accuracy") == {"t0": 100.0}


def test_a_class_without_training_rows_is_never_predicted() -> None:
    data = one_input()
    y = (in_memory(data.train).targets["t0"][:, 0] > 0).astype("int64") * 2
    part = Split(shared_inputs(data.train), {"t0": y})
    outline = Outline((TaskSpec("t0", 4, "cross_entropy"),), (4,), 60)
    assert scores(run(KernelSvm(), Data(outline, part, part, part)), "accuracy")["t0"] > 90


def test_tasks_with_the_same_labels_share_a_machine() -> None:
    found = run(KernelSvm(mu=(0.1, 10.0), **WIDE), alike())
    assert set(chosen(found)) == {"mu", "gamma", "cost"}
    data, gamma = alike(noise=2.0), (0.5,)
    joint = scores(run(KernelSvm(mu=(10.0,), cost=(0.1,), gamma=gamma), data))
    apart = scores(run(KernelSvm(mu=(1e-6,), cost=(1.0,), gamma=gamma), data))
    assert np.mean(list(joint.values())) < np.mean(list(apart.values()))


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(MtlbenchError, match=r"at most 50 training rows of tasks with equal labels, got 170: .* raise"):
        run(KernelSvm(most_rows=50), alike())


def test_too_many_rows_are_refused_before_where_they_are_known() -> None:
    tasks = (*(TaskSpec(name, 1, "mse") for name in "ab"), TaskSpec("c", 1, "bce_with_logits"))
    known = Outline(tasks, dict.fromkeys("abc", (5,)), 60, labelled={"a": 26, "b": 25, "c": 40})
    machine = KernelSvm(most_rows=50)
    (sentence,) = machine.check(known)  # of a and b, which share a machine; c has another
    assert "most_rows: expected at most 50 training rows of tasks with equal labels, got 51" in sentence
    assert not list(machine.check(known.only(("a", "c"))))
    assert not list(machine.check(replace(known, labelled={"a": 26})))


def test_what_does_not_suit_is_said() -> None:
    tokens = Outline((TaskSpec("a", 2, "cross_entropy"),), (5,), 10, vocabulary=9)
    widths = Outline((TaskSpec("a", 1, "mse"), TaskSpec("b", 1, "mse")), {"a": (5,), "b": (6,)}, 10)
    assert "got tokens" in next(KernelSvm().check(tokens))
    assert "as many features in every task, got 5 to 6" in next(KernelSvm().check(widths))
