"""``init_from``: which trial starts from which, what makes it another trial, and what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.errors import MtlbenchError, SuiteError
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.trial import TrainTrial, trial_from_json
from mtlbench.suite.expand import expand
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES

TEXT = """\
problem: digits
architecture: shared
methods:
  before: {weighting: uncertainty}
  after: {init_from: before}
  frozen: {init_from: {method: after, freeze: true}}
optimizer: adam
seeds: 2
"""
OUTLINE = Outline(tuple(TaskSpec(name, 1, "mse") for name in "ab"), (64,), 10)


def read(tmp_path: Path, text: str = TEXT) -> Suite:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return read_suite(path, tables=TABLES)


def trials(suite: Suite, **files: str) -> dict[str, TrainTrial]:
    problems = [problem.name for problem in suite.problems]
    found = expand(suite, dict.fromkeys(problems, OUTLINE), dict.fromkeys(problems, ""), {"t.pt": "abc", **files})
    return {trial.title: trial for trial in found}


def test_a_trial_starts_from_the_trunk_of_its_seed_and_engine(tmp_path: Path) -> None:
    found = trials(read(tmp_path))
    for seed in (0, 1):
        before, after, frozen = (found[f"digits/{name}/eager/seed{seed}"] for name in ("before", "after", "frozen"))
        assert after.parts["start"] == {"trial": before.id, "freeze": False}
        assert frozen.parts["start"] == {"trial": after.id, "freeze": True}
        assert (before.labels.keeps_trunk, after.labels.keeps_trunk, frozen.labels.keeps_trunk) == (True, True, False)
        assert before.parts["start"] == {}
    assert all(
        trial.parts["start"] == {} and not trial.labels.keeps_trunk for trial in found.values() if trial.labels.baseline
    )
    assert trial_from_json(frozen.to_json()) == frozen


def test_whoever_starts_from_a_changed_trial_is_a_changed_trial(tmp_path: Path) -> None:
    one = trials(read(tmp_path))
    other = trials(read(tmp_path, TEXT.replace("uncertainty}", "uncertainty, optimizer: {lr: 0.5}}")))
    same = [title for title in one if one[title].id == other[title].id]
    assert same == [title for title in one if one[title].labels.baseline]
    scratch = trials(read(tmp_path, TEXT.replace("{init_from: before}", "{penalty: none}")))
    assert scratch["digits/after/eager/seed0"].id != one["digits/after/eager/seed0"].id
    assert scratch["digits/before/eager/seed0"].id == one["digits/before/eager/seed0"].id


def test_a_trunk_of_another_problem_and_engine(tmp_path: Path) -> None:
    text = TEXT.replace("{weighting: uncertainty}", "{problem: {name: digits, label: first, noise: 0.5}}").replace(
        "init_from: before", "init_from: {method: before, problem: first}, engines: [eager, fused]"
    )
    found = trials(read(tmp_path, text))
    source = found["first/before/eager/seed0"]
    for engine in ("eager", "fused"):  # the source runs on one alone
        assert found[f"digits/after/{engine}/seed0"].parts["start"] == {"trial": source.id, "freeze": False}


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    suite = read(tmp_path, TEXT.replace("init_from: before", "init_from: {file: t.pt}"))
    one, other = (trials(suite, **{"t.pt": digest})["digits/after/eager/seed0"] for digest in ("abc", "abd"))
    assert one.parts["start"] == {"file": "t.pt", "sha256": "abc", "freeze": False}
    assert one.id != other.id


def test_the_resolved_suite_gives_the_same_trials(tmp_path: Path) -> None:
    suite = read(tmp_path)
    assert suite.resolved()["methods"]["frozen"]["init_from"] == {"method": "after", "freeze": True}
    assert "init_from" not in suite.resolved()["single_task"]


def test_a_suite_may_start_all_its_methods_but_not_the_baseline_from_a_file(tmp_path: Path) -> None:
    found = trials(read(tmp_path, TEXT + "init_from: {file: t.pt}\n"))
    assert found["digits/before/eager/seed0"].parts["start"]["file"] == "t.pt"
    assert found["digits/after/eager/seed0"].parts["start"]["trial"] == found["digits/before/eager/seed0"].id
    assert not any(trial.parts["start"] for trial in found.values() if trial.labels.baseline)
    text = TEXT.replace("uncertainty}", "uncertainty, init_from: {}}")
    scratch = trials(read(tmp_path, text + "init_from: {file: t.pt}\n"))
    assert scratch["digits/before/eager/seed0"].parts["start"] == {}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("befor", "5:22: init_from: unknown method 'befor', did you mean 'before'?"),
        ("after", "init_from: expected a trunk that is trained before, got a circle: after starts from after"),
        ("frozen", "got a circle: after starts from frozen starts from after"),
        (
            "{method: before, problem: digit}",
            "init_from: method 'before' has no problem 'digit', did you mean 'digits'?",
        ),
        ("{method: before, file: t.pt}", "expected a method or a file, got both; remove one"),
        ("{freeze: true}", "expected a method or a file to take the trunk of, got neither"),
        ("{methd: before}", "unknown key 'methd' of init_from, did you mean 'method'?"),
        ("[before]", "init_from: expected a mapping"),
    ],
)
def test_faults(tmp_path: Path, written: str, message: str) -> None:
    with pytest.raises(SuiteError) as error:
        read(tmp_path, TEXT.replace("init_from: before", f"init_from: {written}"))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("tune: {optimizer.lr: [1, 2]}", "expected a method without tune or cross-validation, got 'before'"),
        (
            "problem: {name: digits, label: other, noise: 0.5}",
            "method 'before' has no problem 'digits': say with 'problem' which",
        ),
    ],
)
def test_a_method_that_has_no_such_trunk(tmp_path: Path, written: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        read(tmp_path, TEXT.replace("weighting: uncertainty", written))


def test_a_seed_that_the_other_problem_lacks_is_told(tmp_path: Path) -> None:
    text = TEXT.replace("{weighting: uncertainty}", "{problem: {name: digits, label: few, noise: 0.5}}")
    suite = read(tmp_path, text.replace("init_from: before", "init_from: {method: before, problem: few}"))
    outlines = {"digits": OUTLINE, "few": Outline(OUTLINE.tasks, (64,), 10, seeds=1)}
    with pytest.raises(
        MtlbenchError, match="digits/after/eager/seed1: expected a trial of method 'before' with seed 1"
    ):
        expand(suite, outlines, dict.fromkeys(outlines, ""))
