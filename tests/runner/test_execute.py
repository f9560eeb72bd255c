"""The worker: results of trials that end well and badly, and a process left as it was found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mtlbench.core.record import Record, Result
from mtlbench.core.task import Data
from mtlbench.core.trial import TrainTrial
from mtlbench.measure.load import ForeignLoad
from mtlbench.problems.small.diabetes import Diabetes
from mtlbench.problems.small.synthetic import Synthetic
from mtlbench.runner.trial import execute
from tests.toy_data import in_memory
from tests.trials import altered, train_trial

ROOT = Path(__file__).parents[2]
TRIAL = train_trial(
    problem={"name": "synthetic", "rows": 200},
    tasks=("t1", "t2", "t3", "t4"),
    learner={"name": "gradient"},
    architecture={"name": "shared", "hidden": [16], "dropout": 0.1},
    weighting={"name": "random"},
    engine="eager",
    optimizer={"name": "adam"},
    schedule={"name": "constant"},
    train={"epochs": 2, "batch_size": 32},
    seed=0,
)
TIMED = ("seconds", "per_second", "memory")


def run(trial: TrainTrial = TRIAL, deadline_s: float | None = None, alone: bool = True, **changes: Any) -> Result:
    return execute(altered(trial, **changes), ROOT, 1, deadline_s, alone)


def untimed(result: Result) -> list[Record]:
    assert result.ok, result.traceback
    return [record for record in result.records if not record.metric.endswith(TIMED)]


def test_a_result_is_complete_and_plain() -> None:
    result = execute(altered(TRIAL, threads=1), ROOT, 3, 60.0, alone=True)
    assert result.ok
    assert result.attempt == 3
    assert Result.from_json(result.to_json()) == result
    whole = {record.metric: record.value for record in result.records if (record.split, record.task) == ("", "")}
    seconds = {"train_seconds", "total_seconds"}
    assert set(whole) == seconds | {"peak_memory", "parameters", "epochs", "steps", "scale_free"}
    assert whole["train_seconds"] < whole["total_seconds"] == result.seconds
    rows = {(record.metric, record.task) for record in result.records if record.metric.endswith("_rows")}
    assert rows == {(metric, task) for metric in ("train_rows", "test_rows") for task in TRIAL.tasks}
    assert result.environment["threads"] == 1
    assert result.environment["device"] == "cpu"
    assert result.environment["versions"]["torch"]


def test_what_explained_variance_needs_of_the_labels_is_on_record() -> None:
    trial = altered(TRIAL, problem={"name": "diabetes"}, tasks=("bmi",), learner={"name": "constant"})
    found = {record.metric: record.value for record in run(trial).records if (record.split, record.task) == ("", "bmi")}
    data = Diabetes().load(0, ROOT)
    (task,) = data.outline.only(("bmi",)).tasks
    values = in_memory(data.test).targets["bmi"] * task.scale + task.offset
    rows = {"train_rows": len(in_memory(data.train).targets["bmi"]), "test_rows": len(values)}
    assert found == pytest.approx(rows | {"test_mean": values.mean(), "test_variance": values.var()}, rel=1e-5)


def test_bits_do_not_depend_on_what_the_process_did_before(tmp_path: Path) -> None:
    run(seed=7, engine="foreach", architecture={"name": "single", "hidden": [3]})
    torch.rand(3)
    here = untimed(run())
    code = f"""
import json, sys
from pathlib import Path
from mtlbench.core.task import Data
from mtlbench.core.trial import trial_from_json
from mtlbench.runner.trial import execute
trial = trial_from_json(json.load(sys.stdin))
Path({str(tmp_path / "out")!r}).write_text(json.dumps(execute(trial, Path("."), 1, None, True).to_json()))
"""
    subprocess.run([sys.executable, "-c", code], input=json.dumps(TRIAL.to_json()), text=True, check=True, cwd=ROOT)
    assert untimed(Result.from_json(json.loads((tmp_path / "out").read_text()))) == here


@pytest.mark.parametrize("fails", [False, True])
def test_the_process_is_left_as_it_was(fails: bool) -> None:
    def settings() -> list[Any]:
        state: Any = torch.utils.deterministic
        return [
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            state.fill_uninitialized_memory,
            torch.get_rng_state().tolist(),
        ]

    before = settings()
    result = run(threads=2, train={"epochs": 1, "batch_size": 0 if fails else 32})
    assert result.ok is not fails
    assert settings() == before


def test_a_trial_has_the_threads_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    load = Synthetic.load

    def counted(*args: Any) -> Data:
        seen.append(torch.get_num_threads())
        return load(*args)

    monkeypatch.setattr(Synthetic, "load", counted)
    run(threads=2)
    run(threads=1)
    assert seen == [2, 1]


def test_a_failure_is_a_result_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def burn(*_: object) -> None:
        raise OSError("the disk\nis on fire")

    monkeypatch.setattr(Synthetic, "load", burn)
    result = run()
    assert result.status == "failed"
    assert result.error == "OSError: the disk is on fire"
    assert "in burn" in result.traceback
    assert result.records == ()
    assert result.environment


def test_what_the_user_can_mend_is_said_plainly() -> None:
    result = run(optimizer={"name": "sgd", "lr": 1e20})
    assert result.status == "failed"
    assert result.error.startswith("task '")
    assert "in epoch 1" in result.error
    assert "; lower the optimizer's lr" in result.error
    late = run(deadline_s=1e-9)
    assert late.error == "timed out in epoch 1, step 0: raise resources.timeout, or train for fewer epochs"


def test_an_interrupt_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Synthetic, "load", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_gpu_is_said() -> None:
    assert "expected a CUDA GPU" in run(device="cuda").error


@pytest.mark.parametrize(
    ("alone", "foreign", "shared"), [(True, False, False), (True, True, True), (False, False, True)]
)
def test_times_are_shared_unless_alone_and_quiet(
    monkeypatch: pytest.MonkeyPatch, alone: bool, foreign: bool, shared: bool
) -> None:
    monkeypatch.setattr(ForeignLoad, "noticeable", lambda self: foreign)
    assert run(alone=alone).shared is shared
