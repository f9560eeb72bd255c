"""``literature``: published numbers that stand in a suite and change no trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.yaml_writer import to_yaml
from mtlbench.suite.expand import expand
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES

TEXT = """\
problem: [digits, {name: digits, noise: 1.0, label: noisy}]
architecture: shared
methods: {equal: {}, other: {weighting: uncertainty, problem: digits}}
optimizer: adam
seeds: 2
"""
NUMBER = (
    "problem: digits, method: equal, metric: accuracy, value: 91.2, spread: 0.4, source: Kim 2014, setup: ten folds"
)
TASKS = (TaskSpec("digit", 10, "cross_entropy"), TaskSpec("parity", 1, "bce_with_logits"))


def read(tmp_path: Path, numbers: str, more: str = "", profile: str | None = None) -> Suite:
    path = tmp_path / "s.yaml"
    path.write_text(f"{TEXT}literature: {numbers}\n{more}")
    return read_suite(path, tables=TABLES, profile=profile)


def faults(tmp_path: Path, numbers: str) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        read(tmp_path, numbers)
    return [f"{issue.line}:{issue.column}: {issue.message}" for issue in caught.value.issues]


def trial_ids(suite: Suite) -> list[str]:
    outlines = {name: Outline(TASKS, (64,), 10) for name in ("digits", "noisy")}
    return [trial.id for trial in expand(suite, outlines, dict.fromkeys(outlines, ""))]


def test_it_changes_no_trial_and_survives_resolving(tmp_path: Path) -> None:
    suite = read(tmp_path, f"[{{{NUMBER}}}]")
    assert trial_ids(suite) == trial_ids(read(tmp_path, "[]"))
    (number,) = suite.resolved()["literature"]
    assert number == {
        **{"problem": "digits", "method": "equal", "metric": "accuracy", "over": "tasks"},
        **{"value": 91.2, "spread": 0.4, "source": "Kim 2014", "setup": "ten folds", "differs": "", "comparable": True},
    }
    (tmp_path / "again.yaml").write_text(to_yaml(suite.resolved()))
    assert read_suite(tmp_path / "again.yaml", tables=TABLES).resolved() == suite.resolved()
    assert "literature" not in read(tmp_path, "[]").resolved()


@pytest.mark.parametrize("method", ["equal", "other", "single-task"])
def test_methods_and_the_baseline_have_numbers(tmp_path: Path, method: str) -> None:
    assert read(tmp_path, f"[{{{NUMBER.replace('equal', method)}}}]").literature[0].checked.method == method


def test_a_profile_has_its_own_numbers_or_none(tmp_path: Path) -> None:
    own = f"profiles: {{quick: {{seeds: 1}}, long: {{literature: [{{{NUMBER.replace('91.2', '95')}}}]}}}}"
    numbers = f"[{{{NUMBER}}}, {{{NUMBER}, task: digit}}]"
    for profile, values in ((None, [91.2, 91.2]), ("quick", []), ("long", [95])):
        suite = read(tmp_path, numbers, own, profile)
        assert [number.checked.value for number in suite.literature] == values


def test_a_profile_may_leave_out_what_the_numbers_speak_of(tmp_path: Path) -> None:
    only = "problem: [{name: digits, label: noisy}]"
    profile = f"profiles: {{one: {{{only}, methods: {{other: {{{only}}}}}}}}}"
    suite = read(tmp_path, f"[{{{NUMBER}}}]", profile, "one")
    assert not suite.literature


@pytest.mark.parametrize("numbers", [f"'{NUMBER}'", f"{{{NUMBER}}}", "3"])
def test_numbers_are_a_list(tmp_path: Path, numbers: str) -> None:
    (fault,) = faults(tmp_path, numbers)
    assert fault.startswith("6:13: literature: expected a list of published numbers, got ")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("digits", "digit", "6:24: literature: unknown problem 'digit', did you mean 'digits'?"),
        ("equal", "equl", "6:40: literature: unknown method 'equl', did you mean 'equal'?"),
        ("digits, method: equal", "noisy, method: other", "6:39: literature: method 'other' does not run on problem"),
        ("value", "valeu", "unknown key 'valeu' of literature, did you mean 'value'?"),
        ("91.2", "high", "literature.value: expected a number, got 'high'"),
        ("91.2", ".nan", "expected a finite number, got .nan"),
        ("0.4", "-1", "literature.spread: expected a number >= 0, got -1"),
        (", spread: 0.4", "", "literature: expected spread, or tolerance where the source gives none, got neither"),
        ("spread: 0.4", "spread: 0.4, tolerance: 1", "literature: tolerance: expected none beside the source's own"),
        ("spread", "comparable: false, spread", "literature: comparable: expected differs to say why"),
        ("spread", "over: rows, task: digit, spread", "literature: over: rows of all tasks together have no task"),
        ("accuracy", "explained variance", "explained variance is of the rows of all tasks together"),
        ("Kim 2014", "''", "literature.source: expected text of at least 1 characters"),
        (", setup: ten folds", "", "missing key 'setup' of literature"),
    ],
)
def test_faults_have_a_place_and_a_hint(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = faults(tmp_path, f"[{{{NUMBER.replace(old, new)}}}]")
    assert any(expected in fault for fault in found), found
    assert all(fault.startswith("6:") for fault in found)


def test_every_faulty_entry_is_told_once(tmp_path: Path) -> None:
    bad = NUMBER.replace("digits", "x").replace("equal", "y")
    assert len(faults(tmp_path, f"[{{{bad}}}, {{{NUMBER}}}, {{{NUMBER.replace('equal', 'z')}}}]")) == 3
