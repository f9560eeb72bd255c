from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.trial import TrainTrial, trial_from_json
from mtlbench.suite.expand import expand
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES

TEXT = """\
problem: [digits, {name: digits, noise: 1, label: noisy}]
architecture: shared
methods:
  equal: {}
  learned: {weighting: uncertainty, engines: [fused], resources: {gpus: 1, cpus: 3}}
  clean: {problem: digits, optimizer: {lr: 0.5}}
engines: [eager, fused]
optimizer: adam
seeds: [7, 3]
"""
TASKS = (TaskSpec("digit", 10, "cross_entropy"), TaskSpec("ink", 1, "mse"), TaskSpec("odd", 1, "bce_with_logits"))
OUTLINES = {"digits": Outline(TASKS, (64,), 10), "noisy": Outline(TASKS[:2], (64,), 10)}
DIGESTS = {"digits": "abc", "noisy": ""}


def _suite(tmp_path: Path, text: str = TEXT) -> Suite:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return read_suite(path, tables=TABLES)


def _trials(tmp_path: Path, text: str = TEXT) -> tuple[TrainTrial, ...]:
    return expand(_suite(tmp_path, text), OUTLINES, DIGESTS)


def test_counts_and_unique_names(tmp_path: Path) -> None:
    found = _trials(tmp_path)
    per_seed = Counter((trial.problem_name, trial.labels.method) for trial in found)
    assert per_seed == {
        ("digits", "single-task"): 3 * 2,
        ("digits", "equal"): 2 * 2,
        ("digits", "learned"): 2,
        ("digits", "clean"): 2 * 2,
        ("noisy", "single-task"): 2 * 2,
        ("noisy", "equal"): 2 * 2,
        ("noisy", "learned"): 2,
    }
    assert len({trial.id for trial in found}) == len({trial.title for trial in found}) == len(found)
    assert found[0].title == "digits/single-task[digit]/eager/seed7"


def test_a_method_and_its_baseline_are_paired(tmp_path: Path) -> None:
    found = _trials(tmp_path)
    methods = [trial for trial in found if not trial.labels.baseline]
    for trial in methods:
        partners = [b for b in found if b.labels.baseline and b.problem == trial.problem and b.seed == trial.seed]
        assert {task for partner in partners for task in partner.tasks} == set(trial.tasks)
        assert {partner.data for partner in partners} == {trial.data}
        assert len({partner.engine for partner in partners}) == 1


def test_what_trials_carry(tmp_path: Path) -> None:
    found = {trial.title: trial for trial in _trials(tmp_path)}
    learned = found["noisy/learned/fused/seed3"]
    assert learned.problem == {"name": "digits", "noise": 1.0}
    assert learned.labels.problem == "noisy"
    assert learned.tasks == ("digit", "ink")
    assert (learned.device, learned.threads, learned.data) == ("cuda", 3, "")
    assert learned.labels.resources == {"cpus": 3, "gpus": 1, "timeout": 3600.0}
    assert found["digits/equal/eager/seed7"].data == "abc"
    assert trial_from_json(learned.to_json()) == learned


def _learned(tmp_path: Path, resources: str) -> TrainTrial:
    trials = _trials(tmp_path, TEXT.replace("{gpus: 1, cpus: 3}", resources))
    return next(trial for trial in trials if trial.title == "noisy/learned/fused/seed3")


@pytest.mark.parametrize(
    ("resources", "workers", "cpus", "gpus"),
    [
        ("{cpus: 3}", 1, 3, 0),
        ("{cpus: 3, workers: 2}", 2, 6, 0),
        ("{cpus: 3, gpus: 2}", 2, 6, 2),
        ("{gpus: 2, workers: 2}", 2, 2, 2),
        ("{gpus: 0.5, exclusive: none}", 1, 1, 0.5),
    ],
)
def test_processes_of_a_trial_and_what_they_need_together(
    tmp_path: Path, resources: str, workers: int, cpus: int, gpus: float
) -> None:
    learned = _learned(tmp_path, resources)
    assert learned.workers == workers
    assert learned.labels.resources == {"cpus": cpus, "gpus": gpus, "timeout": 3600.0}
    assert trial_from_json(learned.to_json()) == learned


def test_the_number_of_processes_is_part_of_a_trial_and_one_is_none(tmp_path: Path) -> None:
    numbers = ("{}", "{workers: 2}", "{workers: 3}", "{gpus: 2}")
    assert len({_learned(tmp_path, resources).id for resources in numbers}) == 4
    assert _learned(tmp_path, "{gpus: 0.5, exclusive: none}").id == _learned(tmp_path, "{gpus: 1}").id
    assert "workers" not in _learned(tmp_path, "{}").to_json()


def test_trials_that_have_the_machine_to_themselves(tmp_path: Path) -> None:
    assert {trial.seed for trial in _trials(tmp_path) if trial.labels.exclusive} == {7}
    assert all(trial.labels.exclusive for trial in _trials(tmp_path, TEXT + "resources: {exclusive: all}\n"))
    assert not any(trial.labels.exclusive for trial in _trials(tmp_path, TEXT + "resources: {exclusive: none}\n"))


def test_problems_without_an_outline_are_left_out(tmp_path: Path) -> None:
    found = expand(_suite(tmp_path), {"noisy": OUTLINES["noisy"]}, DIGESTS)
    assert {trial.problem_name for trial in found} == {"noisy"}


def test_a_problem_with_few_seeds_runs_no_others(tmp_path: Path) -> None:
    few = {**OUTLINES, "noisy": Outline(TASKS[:2], (64,), 10, seeds=4)}
    found = expand(_suite(tmp_path), few, DIGESTS)
    assert {trial.seed for trial in found if trial.problem_name == "noisy"} == {3}
    assert {trial.seed for trial in found if trial.problem_name == "digits"} == {7, 3}


def test_too_many_trials_are_refused_before_all_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever makes them many: here the baseline's tasks, and the pairs of affinity."""
    text = "problem: digits\narchitecture: shared\nmethods: {equal: {}}\noptimizer: adam\nseeds: 1000\n"
    tasks = tuple(TaskSpec(f"t{i}", 1, "mse") for i in range(99))
    outlines = {"digits": Outline(tasks, (64,), 10)}
    made: list[object] = []
    monkeypatch.setattr("mtlbench.suite.expand.MAX_TRIALS", 50)

    def make(**coordinates: Any) -> TrainTrial:
        made.append(1)
        return TrainTrial(**coordinates)

    monkeypatch.setattr("mtlbench.suite.expand.TrainTrial", make)
    with pytest.raises(SuiteError, match=r"s\.yaml: expected at most 50 trials, got more.* for 1000 seeds: split"):
        expand(_suite(tmp_path, text), outlines, DIGESTS)
    assert len(made) == 51
    monkeypatch.setattr("mtlbench.suite.expand.MAX_TRIALS", 100 * 1000)
    assert len(expand(_suite(tmp_path, text.replace("1000", "10")), outlines, DIGESTS)) == 10 * 100
