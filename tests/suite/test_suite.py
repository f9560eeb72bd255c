from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from mtlbench.core.errors import SuiteError
from mtlbench.core.trial import TrainTrial
from mtlbench.core.yaml_writer import to_yaml
from mtlbench.suite.expand import expand
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES, Adam, Digits, outline_of

SUITE = """\
problem: digits
architecture: {name: shared, hidden: [8], dropout: 0.5, trunk: {width: 3}}
methods:
  equal: {}
  learned: {weighting: uncertainty, train: {epochs: 3}}
  other: {architecture: {dropout: 0.25}, optimizer: {name: sgd, lr: 1}, engines: fused}
engines: [eager, fused]
optimizer: {name: adam, lr: 1e-2}
train: {epochs: 7, early_stopping: {patience: 3}}
resources: {timeout: 2min}
seeds: [4, 2]
profiles:
  quick:
    train: {epochs: 1, early_stopping: null}
    problem: {noise: 0.5}
    optimizer: {lr: 0.5}
    methods: {extra: {optimizer: {name: sgd, lr: 1}, weighting: uncertainty, train: {batch_size: 7}}}
    single_task: {label: alone}
"""
Reader = Any


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    def read(text: str, name: str = "s.yaml", **options: Any) -> Suite:
        path = tmp_path / name
        path.write_text(text)
        return read_suite(path, tables=TABLES, **options)

    return read


def trials(suite: Suite) -> tuple[TrainTrial, ...]:
    outlines = {problem.name: outline_of(problem, suite.root) for problem in suite.problems}
    return expand(suite, outlines, dict.fromkeys(outlines, ""))


def test_methods_take_from_the_suite_what_they_do_not_change(read: Reader) -> None:
    equal, learned, other = read(SUITE).methods
    assert equal["train"].spec["epochs"] == 7
    assert learned["train"].spec == {**equal["train"].spec, "epochs": 3}
    assert learned.weighting.name == "uncertainty"
    assert other["architecture"].spec == {**equal["architecture"].spec, "dropout": 0.25}
    assert other["optimizer"].spec == {"name": "sgd", "lr": 1.0}
    assert [engine.name for engine in other.engines] == ["fused"]
    assert [engine.name for engine in equal.engines] == ["eager", "fused"]
    assert equal.learner.name == "gradient"
    assert equal["schedule"].name == "constant"
    assert equal.resources.spec["timeout"] == 120.0


def test_entries_are_built_and_complete(read: Reader) -> None:
    equal = read(SUITE).methods[0]
    assert equal.problems[0].config == Digits()
    assert equal["optimizer"].config == Adam(lr=1e-2)
    assert equal["optimizer"].spec == {"name": "adam", "lr": 0.01, "betas": [0.9, 0.999], "foreach": None}


def test_the_baseline_is_single_task_with_the_suites_trunk(read: Reader) -> None:
    baseline = read(SUITE).baseline
    assert baseline.label == "single-task"
    assert baseline["architecture"].spec == {"name": "single", "hidden": [8], "trunk": {"width": 3, "kind": "mlp"}}
    assert baseline.weighting.name == "equal"
    assert [engine.name for engine in baseline.engines] == ["eager"]
    assert baseline["train"].spec["epochs"] == 7


def test_the_baseline_can_be_changed(read: Reader) -> None:
    changes = "{label: alone, engines: fused, optimizer: {lr: 3}, architecture: {hidden: 2}, weighting: uncertainty}"
    baseline = read(f"{SUITE}single_task: {changes}\n").baseline
    assert baseline.label == "alone"
    assert [engine.name for engine in baseline.engines] == ["fused"]
    assert baseline["optimizer"].spec["lr"] == 3.0
    assert baseline["architecture"].spec == {"name": "single", "hidden": 2, "trunk": {"width": 3, "kind": "mlp"}}
    assert baseline.weighting.name == "uncertainty"
    replaced = read(SUITE + "single_task: {architecture: shared}\n").baseline
    assert replaced["architecture"].spec["dropout"] == 0.0


def test_a_profile_is_laid_over_the_suite_and_has_its_own_results(read: Reader) -> None:
    suite, quick = read(SUITE), read(SUITE, profile="quick")
    assert (suite.name, quick.name) == ("s", "s-quick")
    assert quick.methods[0]["train"].spec == {**suite.methods[0]["train"].spec, "epochs": 1, "early_stopping": None}
    assert quick.methods[1]["train"].spec["epochs"] == 3  # the method says so itself
    assert quick.problems[0].spec["noise"] == 0.5
    assert [method.label for method in quick.methods] == ["equal", "learned", "other", "extra"]
    assert quick.methods[3]["optimizer"].spec == {"name": "sgd", "lr": 1.0}
    assert quick.baseline.label == "alone"
    assert quick.baseline["optimizer"].spec["lr"] == 0.5
    named = read(SUITE.replace("  quick:", "  quick:\n    suite: look"), profile="quick")
    assert named.name == "look"


def test_names_and_seeds(read: Reader) -> None:
    assert read(SUITE, name="My suite (2).yaml").name == "My-suite-2"
    assert read("suite: own\n" + SUITE).name == "own"
    assert read(SUITE).seeds == (4, 2)
    assert read(SUITE.replace("[4, 2]", "3")).seeds == (0, 1, 2)
    assert read(SUITE, seeds=1).seeds == (0,)
    assert read(SUITE, profile="quick", seeds=2).seeds == (0, 1)


def test_ids_do_not_depend_on_how_a_suite_is_written(read: Reader) -> None:
    """Defaults written out, keys in another order, shorthand, labels and the suite's name leave every id as it was."""
    plain = read("problem: digits\narchitecture: shared\nmethods: {a: {}}\noptimizer: adam\n")
    wordy = read(
        """\
suite: other
seeds: [0, 1, 2, 3, 4]
resources: {timeout: 1h, gpus: 0, cpus: 1, exclusive: none}
train: {warmup_epochs: 1, batch_size: 128, epochs: 10, early_stopping: null, evaluation_batch_size: 4096}
optimizer: {foreach: null, betas: [0.9, 0.999], lr: 0.001, name: adam}
methods: {renamed: {weighting: {name: equal}, schedule: constant, learner: gradient}}
architecture: {trunk: {kind: mlp, width: 8}, hidden: [64], name: shared}
problem: [{noise: 0, name: digits, label: scans}]
engines: eager
single_task: {label: alone}
""",
        name="another.yaml",
    )
    assert [trial.id for trial in trials(plain)] == [trial.id for trial in trials(wordy)]
    assert {trial.title.split("/")[1] for trial in trials(wordy)} == {"alone[digit]", "alone[parity]", "renamed"}
    changed = read("problem: digits\narchitecture: shared\nmethods: {a: {}}\noptimizer: {name: adam, lr: 0.002}\n")
    assert not {trial.id for trial in trials(plain)} & {trial.id for trial in trials(changed)}


OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "weighting": st.sampled_from(["equal", "uncertainty", {"name": "fixed", "weights": {"digit": 1.0}}]),
        "architecture": st.sampled_from(["single", {"hidden": 3}, {"trunk": {"kind": "cnn"}}]),
        "optimizer": st.sampled_from([{"lr": 0.3}, {"name": "sgd", "lr": 1}, {"betas": [0.1, 0.2]}]),
        "engines": st.sampled_from([["eager"], ["fused", "eager"], "fused"]),
        "train": st.sampled_from([{"epochs": 2}, {"early_stopping": None}, {"early_stopping": {"patience": 1}}]),
        "resources": st.sampled_from([{"cpus": 2}, {"exclusive": "all"}, {"timeout": "30s"}]),
        "problem": st.sampled_from([["digits", {"name": "digits", "noise": 1, "label": "noisy"}]]),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(a=OVERRIDES, b=OVERRIDES, single=OVERRIDES)
def test_a_resolved_suite_reads_back_as_itself(read: Reader, a: Any, b: Any, single: Any) -> None:
    single = {key: value for key, value in single.items() if key not in ("problem", "engines")}
    text = SUITE.partition("profiles:")[0] + to_yaml({"single_task": {**single, "label": "alone"}})
    text = text.replace("  equal: {}", f"  a: {json.dumps(a)}\n  b: {json.dumps(b)}")
    try:
        suite = read(text)
    except SuiteError as error:
        reject() if "repeats" in str(error) else pytest.fail(str(error))  # two methods may come out equal
    again = read(to_yaml(suite.resolved()))
    assert again.resolved() == suite.resolved()
    assert trials(again) == trials(suite)


def test_how_gains_are_judged_is_kept_and_changes_no_trial(read: Reader) -> None:
    plain, judged = read(SUITE), read(f"{SUITE}smallest_effect: 1\ninterval: corrected\n")
    assert (plain.resolved()["smallest_effect"], plain.resolved()["interval"]) == (0.5, "plain")
    assert (judged.resolved()["smallest_effect"], judged.resolved()["interval"]) == (1.0, "corrected")
    assert read(to_yaml(judged.resolved())).resolved() == judged.resolved()
    assert trials(judged) == trials(plain)


@pytest.mark.parametrize("shared", ["weighting: uncertainty", "architecture: single", "engines: fused"])
def test_what_the_baseline_has_in_common_with_every_method_is_its_own(read: Reader, shared: str) -> None:
    text = "problem: digits\narchitecture: shared\noptimizer: adam\n"
    methods = f"methods: {{a: {{{shared}, train: {{epochs: 3}}}}, b: {{{shared}, train: {{epochs: 2}}}}}}\n"
    suite = read(f"{text}{methods}single_task: {{{shared}}}\n")
    again = read(to_yaml(suite.resolved()))
    assert trials(again) == trials(suite)
