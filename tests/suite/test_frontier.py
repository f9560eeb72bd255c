"""``frontier``: fixed weights over the simplex, as trials of their own beside the methods'."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.trial import CANDIDATE, FRONTIER, TrainTrial
from mtlbench.core.yaml_writer import to_yaml
from mtlbench.suite.expand import expand
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES

TEXT = """\
problem: digits
architecture: shared
methods:
  equal: {}
  other: {weighting: uncertainty, optimizer: {name: sgd, lr: 0.5}, engines: [fused, eager]}
optimizer: adam
frontier: {points: 5}
seeds: 2
"""
TASKS = tuple(TaskSpec(name, 1, "mse") for name in ("a", "b/c", "d", "e", "f", "g", "h"))


def read(tmp_path: Path, text: str = TEXT, **options: str) -> Suite:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return read_suite(path, tables=TABLES, profile=options.get("profile"))


def expanded(suite: Suite, tasks: int = 2) -> tuple[TrainTrial, ...]:
    return expand(suite, {"digits": Outline(TASKS[:tasks], (64,), 10)}, {"digits": ""})


def points(suite: Suite, tasks: int = 2) -> list[TrainTrial]:
    return [trial for trial in expanded(suite, tasks) if trial.labels.role == FRONTIER]


def test_points_of_each_seed_differ_in_their_weights_alone(tmp_path: Path) -> None:
    suite = read(tmp_path)
    found = points(suite)
    assert len(found) == 2 * 5
    assert found[1].title == "digits/frontier[a=0.167, b|c=0.833]/eager/seed0"
    assert found[1].parts["weighting"] == {"name": "fixed", "weights": {"a": 1 / 6, "b/c": 5 / 6}, "normalize": False}
    equal = next(trial for trial in expanded(suite) if trial.labels.method == "equal")
    for trial in found[:5]:
        assert trial.with_parts(weighting=equal.parts["weighting"]).id == equal.id
        assert not trial.labels.exclusive
    assert len({trial.id for trial in found}) == len(found)


def test_the_uniform_point_is_the_trial_of_equal_weights(tmp_path: Path) -> None:
    trials = expanded(read(tmp_path))
    by_method = {trial.id: trial for trial in trials if trial.labels.method == "equal"}
    uniform = [trial for trial in points(read(tmp_path)) if trial.id in by_method]
    assert [trial.labels.point for trial in uniform] == ["a=0.5, b|c=0.5"] * 2


def test_many_tasks_have_quasi_random_points_with_short_names(tmp_path: Path) -> None:
    found = points(read(tmp_path), tasks=7)
    assert [trial.labels.point for trial in found[:5]] == ["uniform", "point 1", "point 2", "point 3", "point 4"]
    assert not points(read(tmp_path), tasks=1)


def test_a_named_method_gives_all_but_its_weighting(tmp_path: Path) -> None:
    found = points(read(tmp_path, TEXT.replace("points: 5", "points: 5, method: other, train: {epochs: 3}")))
    assert {trial.parts["optimizer"]["name"] for trial in found} == {"sgd"}
    assert {trial.parts["train"]["epochs"] for trial in found} == {3}
    assert {trial.engine for trial in found} == {"fused"}
    assert {trial.parts["weighting"]["name"] for trial in found} == {"equal", "fixed"}


@pytest.mark.parametrize(
    "settings",
    [
        "points: 5",
        "points: 5, method: other",
        "points: 3, train: {epochs: 3}, engines: [fused]",
        "points: 3, tune: {optimizer.lr: [0.1, 0.2]}",
        "points: 3, tune: {}}\ntune: {budget: 2, search: {optimizer.lr: {log: [0.001, 0.1]}}",
        "points: 3, tune: {budget: 3}}\ntune: {budget: 2, search: {optimizer.lr: {log: [0.001, 0.1]}}",
    ],
)
@pytest.mark.parametrize("others", ["", "optimizer: {lr: 0.3}, architecture: {hidden: [3]}"])
def test_the_resolved_suite_asks_for_the_same(tmp_path: Path, settings: str, others: str) -> None:
    """Also where methods share nothing, so that nothing is written for the whole suite."""
    suite = read(tmp_path, TEXT.replace("points: 5", settings).replace("equal: {}", f"equal: {{{others}}}"))
    assert expanded(read(tmp_path, to_yaml(suite.resolved()))) == expanded(suite)


TUNE = "tune: {budget: 2, search: {optimizer.lr: {log: [0.001, 0.1]}}}\n"
FIXED = "{name: fixed, weights: {any: 1}}, tune: {search: {weighting.normalize: {values: [true, false]}}}"
OWN = TEXT.replace("uncertainty", FIXED)


def candidates(suite: Suite, method: str) -> list[TrainTrial]:
    return [t for t in expanded(suite) if t.labels.role == CANDIDATE and t.labels.method == method]


def test_points_are_tuned_as_methods_are(tmp_path: Path) -> None:
    suite = read(tmp_path, TEXT + TUNE)
    tried, equal = candidates(suite, "frontier"), candidates(suite, "equal")
    assert not points(suite)  # what is chosen follows from the records
    assert len(tried) == 2 * 5 * 2
    assert [t.labels.choice for t in tried] == 5 * [t.labels.choice for t in equal[:2]] + 5 * [
        t.labels.choice for t in equal[2:]
    ]
    assert tried[2].title == "digits/frontier[a=0.167, b|c=0.833][optimizer.lr=0.01]/eager/seed0"
    assert len({t.id for t in tried}) == len({t.title for t in tried}) == len(tried)
    assert [t.id for t in tried if t.labels.point == "a=0.5, b|c=0.5"] == [t.id for t in equal]  # trained once


def test_points_without_a_tune_of_their_own_stay_the_trials_that_they_were(tmp_path: Path) -> None:
    """Those of a tuned suite, too, whose frontier opts out of it."""
    untuned = read(tmp_path, (TEXT + TUNE).replace("points: 5", "points: 5, tune: {}"))
    assert [t.id for t in points(untuned)] == [t.id for t in points(read(tmp_path))]
    assert points(read(tmp_path))[1].id == "b777e708d904e546"  # before points could be tuned


def test_points_take_a_methods_tuning_but_for_its_weighting(tmp_path: Path) -> None:
    text = OWN.replace("points: 5", "points: 5, method: other") + TUNE
    suite = read(tmp_path, text)
    other, tried = candidates(suite, "other"), candidates(suite, "frontier")
    assert {"weighting" in t.labels.choice for t in other} == {True}
    assert {t.labels.choice for t in tried} == {f"optimizer.lr={lr}" for lr in (0.01, 0.0316)}
    assert expanded(read(tmp_path, to_yaml(suite.resolved()))) == expanded(suite)


def test_a_profile_overrides_it(tmp_path: Path) -> None:
    text = TEXT + "profiles: {quick: {frontier: {points: 3}}}\n"
    assert len(points(read(tmp_path, text, profile="quick"))) == 2 * 3


def test_points_start_from_the_trunk_that_their_method_starts_from(tmp_path: Path) -> None:
    text = TEXT.replace("optimizer: {name: sgd, lr: 0.5}, engines: [fused, eager]", "init_from: equal")
    trials = expanded(read(tmp_path, text.replace("points: 5", "points: 5, method: other")))
    sources = {t.seed: t.id for t in trials if t.labels.method == "equal"}
    found = [trial for trial in trials if trial.labels.role == FRONTIER]
    assert [trial.source for trial in found] == [sources[trial.seed] for trial in found]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("5", "7:11: frontier: expected a mapping, got 5"),
        ("{points: 1}", "7:20: frontier.points: expected a number >= 2, got 1"),
        ("{points: few}", "7:20: frontier.points: expected an integer, got 'few'"),
        ("{point: 5}", "7:12: unknown key 'point' of frontier, did you mean 'points'?"),
        (
            "{method: othr}",
            "7:20: frontier.method: expected a method's label, got 'othr': did you mean 'other'?",
        ),
        ("{weighting: equal}", "7:12: frontier: its points have weightings of their own: remove the key 'weighting'"),
        ("{problem: digits}", "7:12: frontier: its points have the problems of the suite, or of the method that it "),
        ("{optimizer: {lr: x}}", "7:28: optimizer.lr: expected a number, got 'x'"),
        ("{optimzer: adam}", "7:12: unknown key 'optimzer' of frontier, did you mean 'optimizer'?"),
        (
            "{tune: {budget: 2, search: {weighting.a: {log: [1, 2]}}}}",
            "7:39: frontier: its points have weightings of their own: remove the key 'weighting.a'",
        ),
        ("{learner: closed}", "7:1: frontier: expected a learner that weighs losses, got 'closed'"),
    ],
)
def test_faults_have_their_places(tmp_path: Path, value: str, fault: str) -> None:
    with pytest.raises(SuiteError) as caught:
        read(tmp_path, TEXT.replace("{points: 5}", value))
    assert fault in str(caught.value)


def test_its_name_is_not_a_methods(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"4:3: method 'frontier': the points of the frontier have this name"):
        read(tmp_path, TEXT.replace("equal: {}", "frontier: {}"))
    assert read(tmp_path, TEXT.replace("equal: {}", "frontier: {}").replace("frontier: {points: 5}\n", "")).methods


def test_a_part_that_only_methods_have_is_asked_for(tmp_path: Path) -> None:
    text = TEXT.replace("optimizer: adam\n", "single_task: {optimizer: adam}\n").replace("{}", "{optimizer: adam}")
    with pytest.raises(SuiteError, match=r"7:1: frontier: no optimizer is given for the whole suite"):
        read(tmp_path, text)
    assert read(tmp_path, text.replace("points: 5", "method: equal")).frontier
