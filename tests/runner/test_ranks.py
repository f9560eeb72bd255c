"""Trials in several processes: the same results, and nothing left of them however they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtlbench.core.record import Result
from mtlbench.core.statuses import FAILED, LOST, TIMEOUT
from mtlbench.runner.checkpoints import Checkpoints
from mtlbench.runner.ranks import PEER_LOST, Rank, _watched
from mtlbench.runner.trial import execute
from tests.runner.test_execute import ROOT, TRIAL, untimed
from tests.trials import altered

LONG: dict[str, Any] = {"train": {"epochs": 100_000, "batch_size": 32}}
SAME: dict[str, Any] = {"architecture": {"name": "shared", "hidden": [8]}, "train": {"epochs": 3, "batch_size": 37}}


def run(workers: int = 2, deadline_s: float | None = 120.0, **changes: Any) -> Result:
    return execute(altered(TRIAL, workers=workers, **changes), ROOT, 1, deadline_s, alone=True)


def training(watcher: int) -> list[psutil.Process]:
    """The two ranks that a process has started, as soon as they have met."""
    while True:
        found = [p for p in psutil.Process(watcher).children() if "mtlbench.runner.rank" in p.cmdline()]
        if len(found) == 2 and all(p.net_connections() for p in found):
            return found
        time.sleep(0.05)


@pytest.fixture
def meanwhile() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Do something while a trial runs."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def test_two_processes_report_what_one_does() -> None:
    checkpoints = Checkpoints()
    together = execute(altered(TRIAL, workers=2, **SAME).labelled(keeps_trunk=True), ROOT, 3, 120, False, checkpoints)
    alone = run(workers=1, **SAME)
    mine, theirs = untimed(together), untimed(alone)
    assert [record.metric for record in mine] == [record.metric for record in theirs]
    assert [record.value for record in mine] == pytest.approx([record.value for record in theirs], rel=1e-3, abs=1e-5)
    assert {record.metric for record in together.records} == {record.metric for record in alone.records}
    assert (together.attempt, together.alone, together.shared) == (3, False, True)
    assert together.seconds == next(r.value for r in together.records if r.metric == "total_seconds")
    assert checkpoints.outgoing
    assert not psutil.Process().children()


def test_a_rank_that_is_killed_ends_the_trial(meanwhile: Any) -> None:
    meanwhile(lambda: training(os.getpid())[1].kill())
    result = run(**LONG)
    assert result.status == LOST
    assert result.error.startswith("process 2 of 2 of the trial ended by SIGKILL")
    assert not psutil.Process().children()


def test_processes_that_cannot_be_started_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    result = run()
    assert result.error.startswith("cannot start 2 processes for the trial: ")
    assert result.attempt == 1


def ended(tmp_path: Path, *scripts: str, latest: float | None = None) -> Result:
    """How a trial ends whose ranks do this."""
    names = {"LEFT": tmp_path}
    ranks = [
        Rank(i, subprocess.Popen(["sh", "-c", script.format(**names)]), tmp_path) for i, script in enumerate(scripts)
    ]
    for i in range(len(scripts)):
        (tmp_path / f"rank{i}.log").write_text("first line\nlast line\n" if i else "")
    try:
        return _watched(ranks, latest)
    finally:
        for rank in ranks:
            rank.process.kill()
            rank.process.wait()


WHY = json.dumps(Result(FAILED, error="why").to_json())
SAY_WHY = f"echo '{WHY}' >".replace("{", "{{").replace("}", "}}") + " {LEFT}/rank1.json; exit 1"
HANG, PEER_GONE = "exec sleep 600", f"exit {PEER_LOST}"


@pytest.mark.parametrize(
    ("scripts", "error"),
    [
        ((HANG, "kill -9 $$"), "process 2 of 2 of the trial ended by SIGKILL, as where memory runs out: last"),
        ((PEER_GONE, "kill -SEGV $$"), "process 2 of 2 of the trial ended by SIGSEGV: last line"),
        ((HANG, "exit 3"), "process 2 of 2 of the trial ended with exit code 3: last line"),
        ((HANG, SAY_WHY), "why"),
        ((PEER_GONE, SAY_WHY), "why"),  # what is a consequence is not the reason
        ((PEER_GONE, f"sleep 0.2; {SAY_WHY}"), "why"),
        ((HANG, PEER_GONE), f"process 2 of 2 of the trial ended with exit code {PEER_LOST}: last line"),
        (("exit 0", "exit 0"), "process 1 of 2 of the trial ended with exit code 0"),
    ],
)
def test_the_reason_is_that_of_the_rank_that_ended_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripts: tuple[str, ...], error: str
) -> None:
    monkeypatch.setattr("mtlbench.runner.ranks._GRACE", 1.0)
    result = ended(tmp_path, *scripts)
    assert result.status == (LOST if "by SIG" in error else FAILED)
    assert result.error.startswith(error)


def test_ranks_that_no_longer_answer_end_with_the_timeout(tmp_path: Path) -> None:
    assert ended(tmp_path, HANG, HANG, latest=0.0).status == TIMEOUT


def test_ranks_end_with_the_process_that_watches_them(tmp_path: Path) -> None:
    task = {"trial": altered(TRIAL, workers=2, **LONG).to_json(), "root": str(ROOT), "attempt": 1, "deadline_s": None}
    task |= {"alone": True, "expected": None, "folder": str(tmp_path / "ranks")}
    (tmp_path / "ranks").mkdir()
    (tmp_path / "ranks" / "trunk").touch()
    code = "import time, pathlib\nfrom mtlbench.runner.ranks import _started\n"
    code += f"with _started(2, {task!r}, pathlib.Path({task['folder']!r})): time.sleep(600)"
    watcher = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    children = training(watcher.pid)
    os.kill(watcher.pid, signal.SIGKILL)
    watcher.wait()
    assert not psutil.wait_procs(children, timeout=60)[1]
    assert not (tmp_path / "ranks").exists()
