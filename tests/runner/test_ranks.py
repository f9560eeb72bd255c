"""Trials in several processes: the same results, and nothing left of them however they end."""

from __future__ import annotations

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
from mtlbench.core.trial import TrainTrial
from mtlbench.runner import ranks
from mtlbench.runner.checkpoints import Checkpoints
from mtlbench.runner.trial import execute
from tests.runner.test_execute import ROOT, TRIAL, untimed
from tests.trials import altered

LONG: dict[str, Any] = {"train": {"epochs": 100_000, "batch_size": 32}}
SAME: dict[str, Any] = {"architecture": {"name": "shared", "hidden": [8]}, "train": {"epochs": 3, "batch_size": 37}}


def run(workers: int = 2, deadline_s: float | None = 120.0, **changes: Any) -> Result:
    return execute(altered(TRIAL, workers=workers, **changes), ROOT, 1, deadline_s, alone=True)


def started(count: int = 2) -> list[psutil.Process]:
    """The ranks that this process has started, as soon as there are so many and they train."""
    while True:
        found = [p for p in psutil.Process().children() if "mtlbench.runner.rank" in " ".join(p.cmdline())]
        if len(found) == count and all(len(p.net_connections()) for p in found):
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
    meanwhile(lambda: started()[1].kill())
    result = run(**LONG)
    assert not result.ok
    assert result.error.startswith("lost: process 2 of 2 of the trial ended by SIGKILL")
    assert not psutil.Process().children()


def test_a_rank_that_no_longer_answers_ends_with_the_timeout(
    meanwhile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "LATE", 0.1)
    meanwhile(lambda: started()[1].suspend())
    result = run(deadline_s=20.0, **LONG)
    assert "timed out" in result.error
    assert not psutil.Process().children()


def test_what_a_rank_raises_is_the_reason() -> None:
    result = run(optimizer={"name": "sgd", "lr": 1e30})
    assert "expected a finite training loss" in result.error
    assert "Diverged" in result.traceback


def test_ranks_end_with_the_process_that_watches_them() -> None:
    code = f"from tests.runner import test_ranks as t; t.run(**{LONG!r})"
    watcher = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    children: list[psutil.Process] = []
    while len(children) < 2:
        children = psutil.Process(watcher.pid).children()
        time.sleep(0.05)
    os.kill(watcher.pid, signal.SIGKILL)
    watcher.wait()
    assert not psutil.wait_procs(children, timeout=60)[1]
