"""``tune``: several values for a key, each a candidate trial."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.trial import TrainTrial, trial_from_json
from mtlbench.core.yaml_writer import to_yaml
from mtlbench.suite.expand import expand
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES

TEXT = """\
problem: digits
architecture: shared
methods:
  plain: {tune: {}}
  tuned: {}
  own: {optimizer: {name: sgd, lr: 1}, tune: {optimizer.lr: [1, 2, 3], weighting: [equal, {name: uncertainty}]}}
optimizer: adam
tune: {optimizer.lr: [0.1, 0.01]}
seeds: 2
"""
OUTLINES = {"digits": Outline((TaskSpec("a", 2, "cross_entropy"), TaskSpec("b", 1, "mse")), (64,), 10)}


def read(tmp_path: Path, text: str = TEXT) -> Suite:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return read_suite(path, tables=TABLES)


def trials(suite: Suite) -> tuple[TrainTrial, ...]:
    return expand(suite, OUTLINES, {"digits": ""})


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        read(tmp_path, text)
    return [str(issue).split("s.yaml:")[1] for issue in caught.value.issues]


def test_every_combination_is_a_candidate(tmp_path: Path) -> None:
    found = trials(read(tmp_path))
    counts = Counter((trial.labels.method, trial.labels.role) for trial in found)
    tasks, seeds = 2, 2
    assert counts == {
        ("single-task", "candidate"): tasks * seeds * 2,
        ("plain", ""): seeds,
        ("tuned", "candidate"): seeds * 2,
        ("own", "candidate"): seeds * 6,
    }
    assert len({trial.id for trial in found}) == len({trial.title for trial in found}) == len(found)
    own = [trial for trial in found if trial.labels.method == "own"][:6]
    assert [(trial.parts["optimizer"]["lr"], trial.parts["weighting"]["name"]) for trial in own] == [
        (lr, weighting) for lr in (1, 2, 3) for weighting in ("equal", "uncertainty")
    ]
    assert own[1].labels.choice == "optimizer.lr=1, weighting=uncertainty"
    assert own[1].title == "digits/own[optimizer.lr=1, weighting=uncertainty]/eager/seed0"


def test_one_value_is_no_choice(tmp_path: Path) -> None:
    (trial,) = {
        trial.labels.method: trial
        for trial in trials(read(tmp_path, TEXT.replace("plain: {tune: {}}", "plain: {tune: {train.epochs: [3]}}")))
        if trial.labels.method == "plain"
    }.values()
    assert (trial.labels.role, trial.labels.choice, trial.parts["train"]["epochs"]) == ("", "train.epochs=3", 3)


def test_candidates_are_the_trials_that_they_would_be_without_tuning(tmp_path: Path) -> None:
    candidates = {t.id for t in trials(read(tmp_path)) if t.labels.method == "tuned"}
    text = TEXT.replace("tune: {optimizer.lr: [0.1, 0.01]}\n", "").replace("  plain: {tune: {}}\n", "")
    text = text.replace("optimizer: adam", "optimizer: {name: adam, lr: 0.1}")
    assert len(candidates & {t.id for t in trials(read(tmp_path, text)) if t.labels.method == "tuned"}) == 2


def test_the_resolved_suite_gives_the_same_trials(tmp_path: Path) -> None:
    suite = read(tmp_path)
    again = read(tmp_path, to_yaml(suite.resolved()))
    assert trials(again) == trials(suite)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[0.1, 0.01]", "[0.1, -1]", "8:28: optimizer.lr: expected a number > 0, got -1"),
        ("[0.1, 0.01]", "0.1", "8:22: tune.optimizer.lr: expected a list of one or more values, got 0.1"),
        ("[0.1, 0.01]", "[]", "8:22: tune.optimizer.lr: expected a list of one or more values, got []"),
        ("[0.1, 0.01]", "[1, 1]", "8:22: tune.optimizer.lr: expected distinct values, got [1, 1]"),
        ("{optimizer.lr: [0.1, 0.01]}", "{seeds: [1, 2]}", "8:8: tune: cannot vary 'seeds'"),
        ("{optimizer.lr: [0.1, 0.01]}", "3", "8:7: tune: expected a mapping, got 3"),
        ("optimizer.lr: [0.1, 0.01]", "optimizer.rate: [1, 2]", "unknown key 'rate' of optimizer 'adam'"),
        ("[0.1, 0.01]", str([i / 100 for i in range(1, 102)]), "8:7: tune: expected at most 100 combinations, got 101"),
    ],
)
def test_faults_have_their_places(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert any(fault in found for found in faults(tmp_path, TEXT.replace(old, new))), faults(
        tmp_path, TEXT.replace(old, new)
    )


@pytest.mark.parametrize(("key", "owners"), [("optimizer.lrr", 1), ("architecture.trnk.width", 2)])
def test_a_wrong_key_is_told_once_and_not_for_every_value(tmp_path: Path, key: str, owners: int) -> None:
    found = faults(tmp_path, TEXT.replace("optimizer.lr: [0.1, 0.01]", f"{key}: [1, 2, 3]"))
    assert len(found) == owners  # architectures single and shared
    assert all(fault.startswith(f"8:8: unknown key '{key.split('.')[1]}' of ") for fault in found)


def test_a_weighting_may_bring_candidates_of_its_own(tmp_path: Path, monkeypatch: Any) -> None:
    specs = ({"name": "equal", "w": 1}, {"name": "equal", "w": 2})
    equal = TABLES["weighting"].load("equal")
    monkeypatch.setattr(equal, "candidates", lambda self, tasks: (3, specs) if len(tasks) > 1 else (0, ()))
    found = [t for t in trials(read(tmp_path)) if t.seed == 0]
    plain = [t for t in found if t.labels.method == "plain"]
    assert [(t.labels.choice, t.fold) for t in plain] == [(f"w={w}", (k, 3)) for w in (1, 2) for k in range(3)]
    assert plain[0].title == "digits/plain[w=1][fold 1 of 3]/eager/seed0"
    tuned = [t for t in found if t.labels.method == "tuned"]
    assert len(tuned) == 2 * 2 * 3
    assert tuned[-1].labels.choice == "optimizer.lr=0.01, w=2"
    assert trial_from_json(tuned[-1].to_json()) == tuned[-1]
    assert all(t.fold == (0, 0) for t in found if t.labels.baseline)


def test_candidates_beside_ones_judged_by_folds_are_judged_by_folds(tmp_path: Path, monkeypatch: Any) -> None:
    equal = TABLES["weighting"].load("equal")
    specs = ({"name": "equal", "w": 1}, {"name": "equal", "w": 2})
    monkeypatch.setattr(equal, "candidates", lambda self, tasks: (3, specs) if len(tasks) > 1 else (0, ()))
    text = TEXT.replace(
        "tune: {optimizer.lr: [0.1, 0.01]}", "tune: {weighting: [equal, {name: fixed, weights: {a: 1.0}}]}"
    )
    tuned = [t for t in trials(read(tmp_path, text)) if t.seed == 0 and t.labels.method == "tuned"]
    assert {(t.labels.choice, t.fold) for t in tuned} == {
        (choice, (k, 3))
        for choice in (
            "weighting=equal, w=1",
            "weighting=equal, w=2",
            "weighting=fixed weights a mapping with the keys a",
        )
        for k in range(3)
    }


@pytest.mark.parametrize("keys", ["weighting: [equal], weighting.mu: [1]", "weighting.mu: [1], weighting: [equal]"])
def test_a_key_and_what_lies_in_it_cannot_both_vary(tmp_path: Path, keys: str) -> None:
    with pytest.raises(SuiteError, match=r"'weighting' and 'weighting\.mu' set the same"):
        read(tmp_path, TEXT.replace("tune: {optimizer.lr: [0.1, 0.01]}", f"tune: {{{keys}}}"))
