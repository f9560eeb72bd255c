"""The worker: results of trials that end well and badly, and a process left as it was found."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mtlbench.core.errors import Diverged
from mtlbench.core.record import Record, Result
from mtlbench.core.statuses import CONTENDED, DIVERGED, FAILED, OK, OUT_OF_MEMORY, TIMEOUT
from mtlbench.core.task import Data
from mtlbench.core.trial import TrainTrial
from mtlbench.measure.load import ForeignLoad
from mtlbench.problems.small.diabetes import Diabetes
from mtlbench.problems.small.synthetic import Synthetic
from mtlbench.runner.stopping import Stop
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
    assert result.status == DIVERGED
    assert result.error.startswith("task '")
    assert "in epoch 1" in result.error
    assert "; lower the optimizer's lr" in result.error
    late = run(deadline_s=1e-9)
    assert late.status == TIMEOUT
    assert late.error == "timed out in epoch 1, step 0: raise resources.timeout, or train for fewer epochs"


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Have the problem's code raise this."""

    def raise_it(*_: object) -> None:
        raise error

    monkeypatch.setattr(Synthetic, "load", raise_it)


def test_a_signal_that_ends_the_run_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, Stop(signal.SIGTERM))
    with pytest.raises(Stop):
        run()


ITS_OWN = [SystemExit(3), SystemExit("enough"), KeyboardInterrupt("mine"), GeneratorExit("closed"), BaseException("x")]


@pytest.mark.parametrize("error", ITS_OWN, ids=repr)
def test_whatever_a_trial_raises_is_its_result(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    raising(monkeypatch, error)
    result = run()
    assert (result.status, result.error) == (FAILED, f"{type(error).__name__}: {error}")
    assert "in raise_it" in result.traceback
    assert result.peak_memory > 0


def _from(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


REFUSED = (
    "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), OUT_OF_MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), OUT_OF_MEMORY),
        (RuntimeError(REFUSED), OUT_OF_MEMORY),
        (_from(ValueError("while fitting"), MemoryError()), OUT_OF_MEMORY),
        (_from(ValueError("while fitting"), Diverged("task 'a'")), DIVERGED),
        (RuntimeError("memory is the mother of the muses"), FAILED),
        (_from(ValueError("no"), KeyError("memory")), FAILED),
    ],
    ids=repr,
)
def test_the_cause_is_a_status(monkeypatch: pytest.MonkeyPatch, error: BaseException, status: str) -> None:
    raising(monkeypatch, error)
    assert run().status == status


def test_an_allocation_that_is_refused_is_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own words, rather than those that the table above expects."""
    monkeypatch.setattr(Synthetic, "load", lambda *_: torch.empty(1 << 60, dtype=torch.uint8))
    assert run().status == OUT_OF_MEMORY


def test_no_control_character_of_an_error_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    every = "".join(map(chr, (*range(32), *range(127, 160), 0x202E)))
    raising(monkeypatch, RuntimeError(f"a{every}b"))
    result = run()
    assert all(c.isprintable() or c == "\ufffd" for c in result.error)
    assert all(c.isprintable() or c in "\ufffd\n" for c in result.traceback)
    assert result.error.startswith("RuntimeError: a")
    assert result.error.endswith("b")


@pytest.mark.parametrize(("exclusive", "busy"), [(True, True), (True, False), (False, True)])
def test_a_timed_trial_beside_other_work_is_contended(
    monkeypatch: pytest.MonkeyPatch, exclusive: bool, busy: bool
) -> None:
    monkeypatch.setattr(ForeignLoad, "noticeable", lambda self: busy)
    result = execute(TRIAL.labelled(exclusive=exclusive), ROOT, 1, None, True)
    assert result.ok
    assert result.records
    assert result.status == (CONTENDED if exclusive and busy else OK)


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
