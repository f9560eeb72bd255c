"""Transfer: what is carried over, what starts afresh, what is asked of tasks, and what the tables say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.errors import MtlbenchError, SuiteError
from mtlbench.core.settings import Train
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.trial import TrainTrial
from mtlbench.engine import TABLE as ENGINES
from mtlbench.engine.model import Model
from mtlbench.learners.base import Start
from mtlbench.learners.loops.training import Training
from mtlbench.learners.transfer import Transfer
from mtlbench.plan.plan import make_plan
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests.contracts.test_learners import job, untimed
from tests.system.conftest import SUITE, Cli, cli
from tests.toy_data import NAMES

__all__ = ["cli"]  # a fixture

TARGET = NAMES[-1:]


def short(**changes: Any) -> Any:
    return job(**{"tasks": TARGET, "train": Train(epochs=2, batch_size=16), **changes})


def outline(names: tuple[str, ...]) -> Outline:
    return Outline(tuple(TaskSpec(name, 1, "mse") for name in names), (3,), 10)


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("level", ["parameters", "representation"])
def test_a_frozen_trunk_needs_no_gradients_of_its_own(level: str) -> None:
    weighting = WEIGHTINGS.build({"name": "upgrad", "level": level})
    found = Transfer(target=NAMES[1:], freeze=True).run(short(tasks=NAMES[1:], weighting=weighting))
    assert {record.task for record in found if record.split == "test"} == set(NAMES[1:])


@pytest.mark.parametrize("engine", ["eager", "foreach", "fused"])
@pytest.mark.parametrize("freeze", [True, False])
def test_the_trunk_is_carried_over_and_heads_are_those_of_training_from_scratch(freeze: bool, engine: str) -> None:
    given = short(engine=ENGINES.build({"name": engine}))
    before = Training(replace(given, tasks=NAMES[:2]))
    before.fit()
    trunk = state(before.model.shared)
    scratch = Model(given.architecture, given.data.outline.only(TARGET), given.seed)
    tuning = Training(replace(given, init_from=Start(before.model.trunk(), freeze)))
    assert equal(state(tuning.model.shared), trunk)
    assert not equal(trunk, state(scratch.shared))
    assert equal(state(tuning.model.own), state(scratch.own))
    tuning.fit()
    assert equal(state(tuning.model.shared), trunk) is freeze
    assert not equal(state(tuning.model.own), state(scratch.own))
    assert equal(state(before.model.shared), trunk)  # a copy was trained


def test_a_frozen_trunk_keeps_its_statistics_too() -> None:
    images = ARCHITECTURES.build({"name": "shared", "trunk": "cnn", "hidden": [8], "channels": [2], "dropout": 0.5})
    given = short(data=job("images").data, architecture=images)
    before = Training(replace(given, tasks=NAMES[:2]))
    tuning = Training(replace(given, init_from=Start(before.model.trunk(), freeze=True)))
    tuning.model.train()
    assert tuning.model.training
    assert not any(module.training for module in tuning.model.shared.modules())


def test_cost_is_of_both_stages_and_records_are_of_the_target() -> None:
    found = Transfer(epochs=3).run(short())
    facts = {record.metric: record.value for record in found if not record.task and not record.split}
    assert facts["pretrain_epochs"] == 3
    assert facts["epochs"] == 2
    own = sum(record.value for record in found if record.metric == "epoch_seconds")
    assert facts["train_seconds"] == pytest.approx(own + facts["pretrain_seconds"])
    assert {record.task for record in found} == {"", *TARGET}
    unset = Transfer().run(short())
    assert next(record.value for record in unset if record.metric == "pretrain_epochs") == 2


def test_what_it_was_trained_on_matters() -> None:
    found = {names: untimed(Transfer(pretrain=names).run(short())) for names in ((), NAMES[:2], NAMES[:1])}
    assert found[()] == found[NAMES[:2]] != found[NAMES[:1]]


def test_stages_are_in_the_order_of_the_problem() -> None:
    names = ("a", "b", "c", "d")
    assert Transfer().stages(names) == (("a", "b", "c"), ("d",))
    assert Transfer(target=("c", "a")).stages(names) == (("b", "d"), ("a", "c"))
    assert Transfer(target=("a",), pretrain=("d",)).stages(names) == (("d",), ("a",))
    assert not Transfer(target=("c", "a")).check(outline(names))


@pytest.mark.parametrize(
    ("keys", "names", "message"),
    [
        ({"target": ("a", "b")}, ("a", "b"), "expected a task to pre-train on, got none"),
        ({"target": ("aa",)}, ("a", "b"), "target: unknown task 'aa', did you mean 'a'?"),
        ({"target": ("a", "a")}, ("a", "b"), "target: expected every task once, got a twice"),
        ({"pretrain": ("b", "a", "b")}, ("a", "b", "c"), "pretrain: expected every task once, got b twice"),
        ({"pretrain": ("a", "b")}, ("a", "b"), "pretrain: expected tasks other than the target's, got b on both sides"),
        ({}, ("a",), "expected a problem of two or more tasks"),
    ],
)
def test_impossible_tasks_are_refused(keys: dict[str, Any], names: tuple[str, ...], message: str) -> None:
    (fault,) = Transfer(**keys).check(outline(names))
    assert message in fault


@pytest.mark.parametrize(
    ("architecture", "message"),
    [("single", "shares parameters between tasks, got one without"), ("cross_stitch", "do not depend on the tasks")],
)
def test_an_architecture_without_a_trunk_for_all_tasks_is_refused(architecture: str, message: str) -> None:
    with pytest.raises(MtlbenchError, match=message):
        Transfer().run(short(architecture=ARCHITECTURES.build({"name": architecture, "hidden": [8]})))


def test_faults_are_told_by_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SUITE.replace("equal: {weighting: equal}", "moved: {learner: {name: transfer, target: [digits]}}"))
    with pytest.raises(SuiteError, match="learner 'transfer' on problem 'digits': target: unknown task 'digits'"):
        make_plan(path)
    single = SUITE.replace("{weighting: equal}", "{learner: transfer, architecture: {name: single}}")
    path.write_text(single.replace("trunk: mlp, ", ""))
    with pytest.raises(SuiteError, match=r"architecture 'single' on .*expected shared parameters that do not"):
        make_plan(path)
    path.write_text(SUITE.replace("{weighting: equal}", "{learner: transfer}") + "affinity: equal\n")
    with pytest.raises(SuiteError, match="expected a method that trains all tasks together, got learner transfer"):
        make_plan(path)
    path.write_text(SUITE.replace("{weighting: equal}", "{learner: transfer}"))
    found = {}
    for trial in make_plan(path).trials:
        assert isinstance(trial, TrainTrial)
        if not trial.labels.baseline:
            found[trial.labels.method] = trial.tasks
    assert found == {"equal": ("parity",), "fixed": ("digit", "parity")}


def test_tables_compare_it_on_its_target_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SUITE.replace("  equal:", "  moved: {learner: transfer}\n  equal:"))
    ended = cli("run", "small.yaml", "--executor", "serial")
    assert ended.returncode == 0, ended.stderr
    tables = tmp_path / "results" / "small" / "tables"
    methods = pd.read_csv(tables / "methods.csv").set_index("method")
    assert dict(methods["tasks"]) == {"single-task": "all", "moved": '["parity"]', "equal": "all", "fixed": "all"}
    assert methods["delta_m"].notna().all()
    assert methods["mean_rank"].notna().to_dict() == {"single-task": True, "moved": False, "equal": True, "fixed": True}
    assert "moved (parity)" in (tables / "methods.md").read_text()
    tasks = pd.read_csv(tables / "tasks.csv")
    assert set(tasks.loc[tasks["method"] == "moved", "task"]) == {"parity"}
    pairs = pd.read_csv(tables / "pairwise.csv")
    assert "moved" not in {*pairs["method_a"], *pairs["method_b"]}  # a mean over other tasks is no rival
    assert "All 10 planned trials finished" in (tmp_path / "results" / "small" / "report.md").read_text()
    plan = json.loads(cli("plan", "small.yaml", "--json").stdout)
    assert plan["states"] == {"finished": 10}
