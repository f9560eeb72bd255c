"""Faults that only the data, the pairs and the machine show: before any trial starts, with their places."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.record import Result
from mtlbench.core.trial import TrainTrial
from mtlbench.plan.plan import make_plan

SUITE = """\
problem: digits
architecture: {name: shared, hidden: [16]}
methods:
  equal: {}
  learned: {weighting: uncertainty}
optimizer: adam
seeds: 2
"""
OWN = '''
from mtlbench.problems.small.digits import Digits
from mtlbench.core.errors import DataError

class Own(Digits):
    """A problem of the user's own."""
    path: str = ""

    def files(self, root):
        return (root / self.path,) if self.path else ()

    def outline(self, root):
        if self.path == "bad.csv":
            raise DataError("bad.csv: column 'y' has one class only")
        return super().outline(root)
'''


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_problem.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_problem", raising=False)
    path = tmp_path / "s.yaml"
    path.write_text(SUITE)
    return path


def _faults(path: Path, text: str, **options: bool) -> list[str]:
    path.write_text(text)
    with pytest.raises(SuiteError) as caught:
        make_plan(path, **options)  # type: ignore[arg-type]
    return [str(issue).removeprefix(f"{path}:") for issue in caught.value.issues]


def _ids(path: Path, text: str) -> list[str]:
    path.write_text(text)
    return [trial.id for trial in make_plan(path).trials]


def test_bad_data_is_told_at_the_problem(suite: Path) -> None:
    text = SUITE.replace("digits", "{name: 'own_problem:Own', path: bad.csv}")
    [fault] = _faults(suite, text)
    assert fault == "1:10: problem 'own_problem:Own': bad.csv: column 'y' has one class only"
    [fault] = _faults(suite, SUITE.replace("digits", "{name: 'own_problem:Own', path: none.csv}"))
    assert fault.startswith("1:10: problem 'own_problem:Own': ")
    assert "none.csv" in fault


def test_faults_of_file_data_and_pairs_come_together(suite: Path) -> None:
    text = SUITE.replace("optimizer: adam", "optimizer: {name: adam, lrr: 3}").replace(
        "uncertainty", "{name: fixed, weights: {digit: 0.5, no_such_task: 0.5}}"
    )
    *weights, optimizer = _faults(suite, text)
    assert all(fault.startswith("5:47: weighting 'fixed' on problem 'digits': weights: ") for fault in weights)
    assert any("no_such_task" in fault for fault in weights)
    assert optimizer == "6:25: unknown key 'lrr' of optimizer 'adam', did you mean 'lr'?"


def test_weights_that_do_not_sum_to_one(suite: Path) -> None:
    [fault] = _faults(suite, SUITE.replace("uncertainty", "{name: fixed, weights: {digit: 1, parity: 2, loops: 3}}"))
    assert fault.startswith("5:4")
    assert "normalize: true" in fault


def test_a_gpu_that_is_not_there(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlbench.measure.environment.gpu_names", lambda: [])
    text = SUITE + "resources: {gpus: 1}\n"
    assert _faults(suite, text) == [
        "8:19: resources.gpus: expected a GPU on this machine, got none; set gpus: 0, or join a cluster with one"
    ]
    assert make_plan(suite, local=False).trials[0].device == "cuda"
    monkeypatch.setattr("mtlbench.measure.environment.gpu_names", lambda: ["H200"])
    assert make_plan(suite).trials[0].device == "cuda"


def test_fewer_gpus_than_a_trial_has_processes(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlbench.measure.environment.gpu_names", lambda: ["H200"])
    text = SUITE + "resources: {gpus: 2}\n"
    assert _faults(suite, text) == [
        "8:19: resources.gpus: expected 2 GPUs on this machine, got 1; set gpus: 1, or join a cluster with as many on "
        "one node"
    ]
    assert {trial.workers for trial in make_plan(suite, local=False).trials if isinstance(trial, TrainTrial)} == {1, 2}
    suite.write_text(SUITE + "resources: {gpus: 0.5, exclusive: none}\n")
    assert {trial.device for trial in make_plan(suite).trials} == {"cuda", "cpu"}


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        (
            "engines: [eager, fused_graph]",
            "8:18: engine 'fused_graph' cannot share steps among 2 processes: use eager, ",
        ),
        (
            "  newton: {optimizer: newton}",
            "optimizer 'newton' evaluates the objective within a step, which 2 processes ",
        ),
        (
            "  ridge: {learner: ridge}",
            "6:20: learner 'ridge' has no steps that 2 processes could share: set resources: ",
        ),
        (
            "  drop: {weighting: {name: graddrop, level: representation}}",
            "weighting 'graddrop' looks at the gradient of every row at once, and 2 processes have some of the rows ",
        ),
        ("train: {batch_size: 1}", "train.batch_size: expected a row or more for each of 2 processes, got 1: raise it"),
    ],
)
def test_what_several_processes_cannot_share(suite: Path, written: str, fault: str) -> None:
    within = written.startswith("  ")
    text = SUITE.replace("optimizer: adam", f"{written}\noptimizer: adam") if within else SUITE + written + "\n"
    said = [line for line in _faults(suite, text + "resources: {workers: 2}\n") if "process" in line]
    assert said
    assert all(fault in line for line in said)
    suite.write_text(SUITE + "resources: {workers: 2}\n")
    make_plan(suite)


def test_engines_say_what_they_lack(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlbench.engine.table.Engine.check", lambda self, device: [f"no {device} here"])
    assert _faults(suite, SUITE + "engines: [eager, foreach]\n") == [
        "8:11: engine 'eager': no cpu here",
        "8:18: engine 'foreach': no cpu here",
    ]


def test_an_attribute_of_the_wrong_kind(suite: Path) -> None:
    text = SUITE.replace("{name: shared, hidden: [16]}", "'own_problem:Own'")
    assert _faults(suite, text) == [
        "2:15: architecture 'own_problem:Own': expected a subclass of mtlbench.architectures.base.Architecture, got Own"
    ]


def test_data_belong_to_the_identity_of_a_trial_and_paths_do_not(suite: Path, tmp_path: Path) -> None:
    text = SUITE.replace("digits", "{name: 'own_problem:Own', path: data.csv}")
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    first = _ids(suite, text)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "data.csv").write_text("a,b\n1,2\n")
    assert _ids(elsewhere / "other.yaml", text) == first
    (tmp_path / "data.csv").write_text("a,b\n1,3\n")
    second = _ids(suite, text)
    assert not set(first) & set(second)


def test_changed_data_are_a_reason(suite: Path, tmp_path: Path) -> None:
    text = SUITE.replace("digits", "{name: 'own_problem:Own', path: data.csv}")
    suite.write_text(text)
    (tmp_path / "data.csv").write_text("1")
    plan = make_plan(suite, out=tmp_path / "out")
    for trial in plan.trials:
        plan.store.write(trial, Result("ok", alone=True))
    (tmp_path / "data.csv").write_text("2")
    again = make_plan(suite, out=tmp_path / "out")
    assert {(planned.state, planned.reason) for planned in again.planned} == {("changed", "data changed")}


def test_the_source_of_an_entry_within_an_entry_is_known(suite: Path, tmp_path: Path) -> None:
    (tmp_path / "own_problem.py").write_text("from mtlbench.weightings.gramian import UPGrad as Own\n")
    text = SUITE.replace("equal: {}", "equal: {weighting: {name: smoothed, of: 'own_problem:Own'}}")
    suite.write_text(text)
    plan = make_plan(suite, out=tmp_path / "out")
    (sources,) = {trial.sources for trial in plan.trials if trial.labels.method == "equal"}
    assert {"own_problem.py", "mtlbench/weightings/gramian.py"} <= set(plan.manifests[sources])


def test_a_recorded_step_needs_cuda_and_a_weighting_that_can_be_recorded(suite: Path) -> None:
    faults = _faults(suite, SUITE + "single_task: {engines: [eager]}\nengines: [fused_graph]\n")
    assert set(faults) == {
        "9:11: engine 'fused_graph': expected CUDA, which alone has graphs, got the CPU: set resources.gpus: 1, or "
        "choose engine fused"
    }
    text = SUITE.replace("uncertainty", "dwa") + "engines: [fused_graph]\nresources: {gpus: 1}\n"
    (fault,) = _faults(suite, text, local=False)
    assert fault == (
        "5:24: engine 'fused_graph': expected a weighting that a CUDA graph can record, got dwa: choose engine fused"
    )
    text = SUITE + "schedule: {name: cosine, beta_decay: 0.9}\nengines: [fused_graph]\nresources: {gpus: 1}\n"
    assert any("expected a beta that stays" in fault for fault in _faults(suite, text, local=False))


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("penalty: {name: trace}", "a penalty that a CUDA graph can record, got trace"),
        ("penalty: task_covariance", "a penalty that a CUDA graph can record, got task_covariance"),
        ("architecture: {name: soft, tie: trace}", "an architecture that a CUDA graph can record, got soft"),
        ("architecture: {name: soft, tie: l2}", ""),
        ("penalty: l21", ""),
    ],
)
def test_a_recorded_step_takes_no_decomposition(suite: Path, part: str, what: str) -> None:
    text = SUITE.replace("weighting: uncertainty", part) + "engines: [fused_graph]\nresources: {gpus: 1}\n"
    if not what:
        suite.write_text(text)
        make_plan(suite, local=False)
        return
    (fault,) = _faults(suite, text, local=False)
    assert fault.startswith("5:")
    assert fault.endswith(f"engine 'fused_graph': expected {what}: choose engine fused")


def test_relating_heads_takes_heads_on_common_features(suite: Path) -> None:
    part = "penalty: task_covariance"
    _ids(suite, SUITE + part)  # the single-task networks share nothing, and there is nothing to relate
    text = SUITE.replace("weighting: uncertainty", f"architecture: {{name: single}}, {part}")
    (fault,) = _faults(suite, text)
    assert fault.startswith("5:")
    assert "penalty 'task_covariance' on problem 'digits': expected tasks whose heads read common features" in fault
    text = SUITE.replace("digits", "toy").replace("{name: shared, hidden: [16]}", "point") + part
    assert any("have no heads to relate" in fault for fault in _faults(suite, text))


def test_what_an_optimizer_cannot_do_is_told_before_anything_runs(suite: Path) -> None:
    found = _faults(suite, SUITE.replace("optimizer: adam", "optimizer: lbfgs\nengines: [eager, fused]"))
    assert any("expected a weighting without parameters of its own" in fault for fault in found)
    assert any(fault.startswith("6:") and "'lbfgs' has no update by mtlbench's kernels" in fault for fault in found)
    schedule = "optimizer: sgd\nschedule: {name: cosine, beta_decay: 0.9}"
    found = _faults(suite, SUITE.replace("optimizer: adam", schedule))
    assert found[0].startswith("7:")
    assert "beta_decay: expected an optimizer with momentum" in found[0]


def test_a_method_may_have_another_penalty(suite: Path) -> None:
    alone = SUITE + "references: []\n"
    plain = _ids(suite, alone)
    text = alone.replace("uncertainty}", "uncertainty, penalty: {name: l21, on: heads}}")
    assert len(set(plain) - set(_ids(suite, text))) == 2
    assert len(set(plain) & set(_ids(suite, alone + "penalty: l2\n"))) == 0


def test_learners_without_a_network_cannot_learn_formulas(suite: Path) -> None:
    text = "problem: toy\nmethods: {a: {learner: ridge}}\nsingle_task: {learner: ridge}\nseeds: 2\n"
    assert any("the tasks are formulas of a point" in fault for fault in _faults(suite, text))


def test_cross_validated_weights_need_one_stage_and_no_affinity(suite: Path) -> None:
    chosen = "weighting: {name: fixed, weights: cross_validated}"
    text = SUITE.replace("equal: {}", f"equal: {{learner: transfer, {chosen}}}")
    assert any(
        "expected weights that are given, got a choice by cross-validation" in fault for fault in _faults(suite, text)
    )
    text = SUITE.replace("equal: {}", f"equal: {{{chosen}}}") + "affinity: equal\n"
    assert any("expected a method without tune or cross-validation" in fault for fault in _faults(suite, text))


def test_encoders_fit_the_single_task_baseline_too_and_a_wrong_name_is_told_with_the_nearest(suite: Path) -> None:
    encoders = "encoders: {digit: {}, parity: {}, loops: {}}"
    suite.write_text(SUITE.replace("hidden: [16]", encoders))
    assert make_plan(suite, out=suite.parent / "out").todo
    found = _faults(suite, suite.read_text().replace("loops", "loop"))
    assert found
    assert all("encoders: expected one for task 'loops', got one for 'loop': did you mean 'loops'?" in f for f in found)
    (fault,) = _faults(suite, suite.read_text().replace("loop: {}", "loop: {}, loops: {}"))
    assert "encoders: no problem here has a task 'loop': did you mean 'loops'?" in fault


def test_a_method_that_does_not_fit_pairs_of_tasks_cannot_be_compared_for_affinity(suite: Path) -> None:
    named = "{weighting: {name: fixed, weights: {digit: 0.2, parity: 0.3, loops: 0.5}}}"
    (fault,) = _faults(suite, SUITE.replace("equal: {}", f"equal: {named}") + "affinity: equal\n")
    assert "affinity trains tasks in pairs, and weighting 'fixed' on problem 'digits' does not fit digit" in fault
    assert "weights: unknown task 'loops'" in fault
    assert fault.endswith("name another method under affinity")
    found = _faults(suite, SUITE.replace("equal: {}", f"equal: {named.replace('loops', 'loop')}") + "affinity: equal\n")
    assert found
    assert not any("affinity" in fault for fault in found)  # what is wrong for all tasks is told once


def test_rows_of_classes_have_two_dimensions(suite: Path) -> None:
    (fault,) = _faults(suite, "kernels: {cases: [{name: task_losses, outputs: 1 x 4}]}\n")
    assert "expected tensors of two dimensions or more for cross_entropy" in fault


NEWTON = """\
problem: digits
architecture: {name: shared, hidden: [40]}
methods:
  exact: {optimizer: {name: newton, hessian: exact}}
  free: {}
optimizer: newton
"""
MODULE = '''
from mtlbench.architectures.shared import Shared
import torch

class Measured(Shared):
    """Reads a value back while it builds, which shapes alone do not have."""

    def shared(self, outline, seeded):
        assert float(torch.ones(2).sum()) == 2
        return super().shared(outline, seeded)
'''


def test_more_parameters_than_an_optimizer_takes_are_told_before_anything_runs(suite: Path) -> None:
    (fault,) = _faults(suite, NEWTON)
    assert fault == (  # 65 x 40 of the trunk, and 41 for each of 14 outputs
        "4:46: optimizer 'newton' on problem 'digits': hessian: exact expects at most 2,000 parameters, got 3,174: set "
        "hessian: free, or choose a smaller architecture"
    )
    assert _ids(suite, NEWTON.replace("[40]", "[10]"))


def test_an_architecture_that_shapes_alone_cannot_build_is_left_to_the_trial(suite: Path) -> None:
    (suite.parent / "own_problem.py").write_text(MODULE)
    assert _ids(suite, NEWTON.replace("name: shared", "name: own_problem:Measured"))


def test_heads_that_could_climb_their_loss_are_refused(suite: Path) -> None:
    for weighting in ("imtl_g", "config", "graddrop", "pbi", "{name: smoothed, of: imtl_g}"):
        [fault] = _faults(suite, SUITE.replace("uncertainty", f"{weighting}, heads: weighted"))
        assert "heads on problem 'digits': rule: expected own or published" in fault
    for weighting in ("nash_mtl", "smoothed", "uncertainty"):
        assert _ids(suite, SUITE.replace("uncertainty", f"{weighting}, heads: weighted"))


def test_a_line_search_needs_one_function_of_all_parameters(suite: Path) -> None:
    text = SUITE.replace("uncertainty", "{name: fixed, weights: {digit: 0.5, parity: 0.2, loops: 0.3}}")
    text = text.replace("adam", "lbfgs")
    [fault] = _faults(suite, text)
    assert "heads" in fault
    assert "expected weighted" in fault
    assert _ids(suite, text.replace("{weighting", "{heads: weighted, weighting"))


def test_a_frontier_needs_two_tasks_and_a_learner_that_trains_them_together(suite: Path) -> None:
    text = "problem: {name: digits, tasks: [digit]}\narchitecture: shared\noptimizer: adam\nmethods: {a: {}}\n"
    asked = "frontier: {points: 3}\n"
    alone = "5:1: frontier: expected a problem of two tasks or more, got one task on 'digits': remove the key"
    assert any(alone in fault for fault in _faults(suite, text + asked))
    both = text.replace("{name: digits, tasks: [digit]}", "digits")
    staged = "methods: {a: {}, b: {learner: {name: transfer, target: [digit]}}}"
    faults = _faults(suite, both.replace("methods: {a: {}}", staged) + asked.replace("3", "3, method: b"))
    together = "5:1: frontier: expected a learner that trains all tasks together, got transfer: name another method"
    assert any(together in fault for fault in faults)


def test_the_parts_of_a_frontier_must_fit_its_problems(suite: Path) -> None:
    text = "problem: digits\narchitecture: shared\noptimizer: adam\nmethods: {a: {}}\n"
    text += "frontier: {architecture: {name: shared, trunk: lstm}}\n"
    assert any(fault.startswith("5:") and "lstm" in fault for fault in _faults(suite, text))


def test_published_numbers_need_a_task_and_a_metric_that_the_data_have(suite: Path) -> None:
    entry = "{problem: digits, method: equal, metric: accuracy, value: 97, spread: 1, source: s, setup: t"
    told = {
        ", task: digt}": "literature: problem 'digits' has no task 'digt', did you mean 'digit'?",
        ", task: loops}": "",
        "}": "",
        ", over: rows}": "",
    }
    for more, expected in told.items():
        text = f"{SUITE}literature:\n  - {entry}{more}\n"
        if expected:
            (fault,) = _faults(suite, text)
            assert fault == f"9:{len(entry) + len(more) - len('digt}') + 5}: {expected}"
        else:
            assert _ids(suite, text) == _ids(suite, SUITE)
    for metric, more in (("rmse", ", task: digit}"), ("acuracy", "}"), ("explained variance", ", over: rows}")):
        fault, *_ = _faults(suite, f"{SUITE}literature: [{entry.replace('accuracy', metric)}{more}]\n")
        assert f"literature: '{metric}' is no metric of " in fault
