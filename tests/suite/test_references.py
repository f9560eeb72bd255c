"""``references``: which learners stand beside the methods, on which problems, and what the file may say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.trial import TrainTrial
from mtlbench.plan.reading import read_suite
from mtlbench.screen.schema import json_schema
from mtlbench.suite.expand import expand
from mtlbench.suite.references import left_out

TEXT = """\
problem: [digits, {name: digits, flat: false, label: images}]
architecture: shared
methods:
  equal: {}
engines: [eager, fused]
optimizer: adam
tune: {optimizer.lr: [0.1, 0.01]}
resources: {gpus: 1, cpus: 2, exclusive: all}
seeds: [7, 3]
"""
TASKS = (TaskSpec("digit", 10, "cross_entropy"), TaskSpec("parity", 1, "bce_with_logits"))
OUTLINES = {"digits": Outline(TASKS, (64,), 1797), "images": Outline(TASKS, (1, 8, 8), 1797)}


def _trials(tmp_path: Path, text: str = TEXT) -> tuple[TrainTrial, ...]:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return expand(read_suite(path), OUTLINES, dict.fromkeys(OUTLINES, ""))


def _beside(tmp_path: Path, text: str = TEXT) -> list[tuple[str, str, int]]:
    found = [trial for trial in _trials(tmp_path, text) if trial.labels.reference]
    return [(trial.problem_name, trial.labels.method, trial.seed) for trial in found]


def _fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(SuiteError) as caught:
        _trials(tmp_path, text)
    (issue,) = caught.value.issues
    return str(issue)


def test_unasked_a_floor_stands_everywhere_and_boosting_beside_flat_tables(tmp_path: Path) -> None:
    expected = {("digits", "constant"), ("digits", "boosting"), ("images", "constant")}
    assert set(_beside(tmp_path)) == {(*pair, seed) for pair in expected for seed in (7, 3)}
    assert _beside(tmp_path) == _beside(tmp_path, TEXT + "references: auto\n")


def test_a_reference_is_one_trial_of_all_tasks_on_a_cpu_whatever_the_suite_tunes(tmp_path: Path) -> None:
    found = [trial for trial in _trials(tmp_path) if trial.labels.reference]
    for trial in found:
        assert trial.tasks == ("digit", "parity")
        assert (trial.engine, trial.device, trial.threads) == ("", "cpu", 2)
        assert (trial.labels.baseline, trial.labels.exclusive, trial.labels.choice) == (False, False, "")
    assert found[0].title == "digits/constant/seed7"
    assert len({trial.id for trial in found}) == len(found)


def test_other_trials_are_what_they_are_without_references(tmp_path: Path) -> None:
    without = _trials(tmp_path, TEXT + "references: []\n")
    rest = [trial for trial in _trials(tmp_path) if not trial.labels.reference]
    assert [(t.id, t.labels) for t in without] == [(t.id, t.labels) for t in rest]


def test_a_list_names_learners_and_their_settings(tmp_path: Path) -> None:
    text = TEXT + "references: [forest, {name: boosting, rounds: 9, label: few rounds}]\n"
    found = [trial for trial in _trials(tmp_path, text) if trial.labels.reference]
    assert {trial.labels.method for trial in found} == {"forest", "few rounds"}
    assert {trial.problem_name for trial in found} == {"digits", "images"}  # pixels in line, since they are asked for
    (rounds,) = {trial.parts["learner"]["rounds"] for trial in found if trial.labels.method == "few rounds"}
    assert rounds == 9


@pytest.mark.parametrize("references", ["auto", "[]", "[constant, {name: boosting, label: b}]"])
def test_the_resolved_suite_has_the_same_trials(tmp_path: Path, references: str) -> None:
    import yaml

    text = f"{TEXT}references: {references}\n"
    first = _trials(tmp_path, text)
    resolved = read_suite(tmp_path / "s.yaml").resolved()
    again = _trials(tmp_path, yaml.safe_dump(resolved, sort_keys=False))
    assert [(t.id, t.labels.method, t.labels.role) for t in first] == [
        (t.id, t.labels.method, t.labels.role) for t in again
    ]


def test_what_runs_as_a_method_is_no_reference(tmp_path: Path) -> None:
    text = TEXT.replace("equal: {}", "equal: {}\n  floor: {learner: constant, problem: digits, tune: {}, "
                        "resources: {gpus: 0}}\n  boosting: {learner: boosting, tune: {}}")  # fmt: skip
    assert {beside[:2] for beside in _beside(tmp_path, text)} == {("images", "constant")}
    assert len({trial.id for trial in _trials(tmp_path, text)}) == len(_trials(tmp_path, text))


def test_named_references_that_cannot_run_are_said_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(TEXT + "references: [boosting]\n")
    tokens = {**OUTLINES, "images": Outline(TASKS, (9,), 10, vocabulary=5)}
    suite = read_suite(path)
    (said,) = left_out(suite, tokens)
    assert said.startswith("images: reference boosting does not run here: expected rows of numbers")
    found = expand(suite, tokens, dict.fromkeys(tokens, ""))
    assert {trial.problem_name for trial in found if trial.labels.reference} == {"digits"}


def test_faults(tmp_path: Path) -> None:
    assert "references: expected auto or a list of learners, got 'all'" in _fault(tmp_path, TEXT + "references: all\n")
    assert "unknown learner 'boostin', did you mean" in _fault(tmp_path, TEXT + "references: [boostin]\n")
    assert "expected a learner without a network, got gradient" in _fault(tmp_path, TEXT + "references: [gradient]\n")
    assert "the name of another reference" in _fault(
        tmp_path, TEXT + "references: [forest, {name: forest, trees: 9}]\n"
    )
    named = TEXT.replace("equal: {}", "constant: {weighting: equal}")
    assert "rename the method, or list references" in _fault(tmp_path, named)
    assert _beside(tmp_path, named + "references: []\n") == []


def test_the_schema_knows_the_key() -> None:
    assert "references" in json_schema()["properties"]
