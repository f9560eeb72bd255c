"""The rule for the heads in a suite: its short form, and which trials it makes new."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.trial import TrainTrial
from mtlbench.plan.plan import make_plan

SUITE = """\
problem: {name: synthetic, rows: 60}
architecture: {name: shared, hidden: [4]}
methods:
  equal: {}
  mgda: {weighting: mgda}
  ridge: {learner: ridge}
optimizer: sgd
seeds: 1
"""


def _trials(path: Path, text: str) -> dict[str, TrainTrial]:
    path.write_text(text)
    return {trial.labels.method: trial for trial in make_plan(path).trials if isinstance(trial, TrainTrial)}


def test_a_bare_word_is_the_rule_and_only_what_it_changes_is_a_new_trial(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    plain, written = _trials(path, SUITE), _trials(path, "heads: own\n" + SUITE)
    weighted = _trials(path, "heads: {rule: weighted}\n" + SUITE)
    assert {method: trial.id for method, trial in plain.items()} == {m: trial.id for m, trial in written.items()}
    assert {method for method in plain if plain[method].id != weighted[method].id} == {"mgda"}
    assert plain["mgda"].parts["heads"] == {"rule": "own"}
    for method in ("equal", "ridge", "single-task"):
        assert "heads" not in plain[method].coordinates()  # as before there was a rule, and with the same results
    assert "heads" in plain["mgda"].coordinates()  # results are others than before


def test_a_rule_that_is_none_is_told_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE.replace("weighting: mgda", "weighting: mgda, heads: shared"))
    with pytest.raises(SuiteError, match=r"5:34.*own"):
        make_plan(path)


def test_a_method_may_differ_from_the_suite(tmp_path: Path) -> None:
    text = SUITE.replace("weighting: mgda", "weighting: mgda, heads: published")
    trials = _trials(tmp_path / "suite.yaml", "heads: weighted\n" + text)
    assert trials["mgda"].parts["heads"] == {"rule": "published"}
