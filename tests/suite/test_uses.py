"""What a learner does not use is neither required, nor part of a trial, nor to be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.parts import optional
from mtlbench.core.trial import TrainTrial
from mtlbench.core.yaml_writer import to_yaml
from mtlbench.suite.expand import expand
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES, outline_of

CLOSED = """\
problem: digits
methods:
  one: {learner: closed}
  other: {learner: {name: closed, penalty: 2.0}}
single_task: {learner: {name: closed, penalty: 3.0}}
seeds: 2
"""
MIXED = """\
problem: digits
architecture: shared
optimizer: adam
engines: [eager, fused]
methods:
  deep: {weighting: uncertainty}
  flat: {learner: closed}
seeds: 1
"""


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(text: str) -> Suite:
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return read_suite(path, tables=TABLES)

    return read


def trials(suite: Suite) -> tuple[TrainTrial, ...]:
    outlines = {problem.name: outline_of(problem, suite.root) for problem in suite.problems}
    return expand(suite, outlines, dict.fromkeys(outlines, ""))


def faults(read: Any, text: str) -> list[tuple[int, str]]:
    with pytest.raises(SuiteError) as caught:
        read(text)
    return [(issue.line, issue.message) for issue in caught.value.issues]


def test_nothing_unused_is_required_or_part_of_a_trial(read: Any) -> None:
    found = trials(read(CLOSED))
    assert len(found) == 2 * (2 + 2)
    for trial in found:
        assert not any(spec for part, spec in trial.parts.items() if part != "learner")
        assert trial.engine == ""
        assert trial.title.count("/") == 2


def test_trials_do_not_depend_on_what_their_learner_does_not_use(read: Any) -> None:
    one, other = (
        [trial.id for trial in trials(read(text)) if trial.labels.method == "flat"]
        for text in (MIXED, MIXED.replace("adam", "{name: sgd, lr: 1}").replace("shared", "single"))
    )
    assert one == other
    assert len(one) == 1  # engines are not crossed with a learner that uses none


def test_other_methods_keep_what_they_use(read: Any) -> None:
    deep = [trial for trial in trials(read(MIXED)) if trial.labels.method == "deep"]
    assert [trial.engine for trial in deep] == ["eager", "fused"]
    assert all(trial.parts["optimizer"]["name"] == "adam" for trial in deep)


@pytest.mark.parametrize("text", [CLOSED, MIXED, MIXED + "single_task: {learner: {name: closed, penalty: 4.0}}\n"])
def test_the_resolved_suite_gives_the_same_trials(read: Any, text: str) -> None:
    suite = read(text)
    again = read(to_yaml(suite.resolved()))
    assert [trial.to_json() for trial in trials(again)] == [trial.to_json() for trial in trials(suite)]


@pytest.mark.parametrize("key", sorted(optional()))
def test_writing_what_a_methods_learner_does_not_use_is_refused(read: Any, key: str) -> None:
    values = {"architecture": "shared", "optimizer": "adam", "engines": "[fused]", "train": "{epochs: 3}"}
    value = values.get(key, "equal" if key == "weighting" else "constant" if key == "schedule" else "free")
    text = CLOSED.replace("one: {learner: closed}", f"one: {{learner: closed, {key}: {value}}}")
    message = f"method 'one': learner 'closed' uses no {key}: remove the key, or change the learner"
    assert (3, message) in faults(read, text)
    text = CLOSED.replace("single_task: {", f"single_task: {{{key}: {value}, ")
    assert (5, message.replace("method 'one'", "single_task")) in faults(read, text)


def test_what_no_learner_of_the_suite_uses_is_refused(read: Any) -> None:
    message = "key 'optimizer': no learner of this suite uses it: remove the key"
    assert faults(read, f"{CLOSED}optimizer: adam\n") == [(7, message)]


def test_a_baseline_that_trains_needs_what_methods_do_not(read: Any) -> None:
    found = faults(read, CLOSED.replace("single_task: {learner: {name: closed, penalty: 3.0}}\n", ""))
    assert [message for _, message in found] == [
        f"the single-task baseline has no {key}: give one for the whole suite, or under single_task, "
        "or there a learner that uses none"
        for key in ("architecture", "optimizer")
    ]


def test_a_method_that_trains_needs_what_its_neighbours_do_not(read: Any) -> None:
    found = faults(
        read,
        CLOSED.replace("seeds: 2", "seeds: 1").replace("other: {learner: {name: closed, penalty: 2.0}}", "deep: {}"),
    )
    assert [(line, message.split(",")[0]) for line, message in found] == [
        (4, "method 'deep': missing key 'architecture'"),
        (4, "method 'deep': missing key 'optimizer'"),
    ]


def test_the_same_closed_learner_twice_is_a_repetition(read: Any) -> None:
    text = CLOSED.replace("{name: closed, penalty: 2.0}", "closed")
    assert any("method 'other' repeats method 'one'" in message for _, message in faults(read, text))


def test_tune_varies_only_what_a_learner_uses(read: Any) -> None:
    tuned = (
        MIXED
        + "tune: {optimizer.lr: [0.1, 0.2]}\nsingle_task: {learner: closed, tune: {learner.penalty: [3.0, 4.0]}}\n"
    )
    found = trials(read(tuned))
    assert [trial.labels.choice for trial in found if trial.labels.method == "flat"] == [""]
    assert {trial.labels.choice for trial in found if trial.labels.method == "deep"} == {
        "optimizer.lr=0.1",
        "optimizer.lr=0.2",
    }
    assert {trial.labels.choice for trial in found if trial.labels.baseline} == {
        "learner.penalty=3.0",
        "learner.penalty=4.0",
    }
    text = CLOSED.replace("one: {learner: closed}", "one: {learner: closed, tune: {optimizer.lr: [0.1, 0.2]}}")
    message = "method 'one': learner 'closed' uses no optimizer: remove the key, or change the learner"
    assert faults(read, text) == [(3, message)]


def test_affinity_asks_for_a_method_that_trains(read: Any) -> None:
    assert faults(read, MIXED + "affinity: flat\n") == [
        (9, "affinity: expected a method that trains by gradients, got 'flat'")
    ]
