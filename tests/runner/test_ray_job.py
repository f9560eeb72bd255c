"""Runs submitted as jobs: what is sent, what comes back, and what becomes of a job that is met again."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtlbench.core.errors import MtlbenchError
from mtlbench.runner import ray_job
from mtlbench.runner.session import Run, run
from mtlbench.runner.shipping import RESULTS
from mtlbench.runner.wire import to_line

SUITE = """
suite: sent
problem: {name: synthetic, tasks: 2, rows: 60, features: 3}
architecture: {name: shared, trunk: mlp, hidden: [4]}
methods: {equal: {weighting: equal}}
references: []
optimizer: {name: adam}
tune: {optimizer.lr: [0.01, 0.1]}
train: {epochs: 1, batch_size: 32}
seeds: 1
resources: {exclusive: none}
"""


class Cluster:
    """In place of Ray's client: a job runs in this process, in the folder that was sent with it, and leaves its log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs: dict[str, list[str]] = {}
        self.statuses: dict[str, str] = {}
        self.stopped: list[str] = []
        self.sent: list[list[str]] = []
        self.cut = False  # the connection breaks after the first lines

    def list_jobs(self) -> list[Any]:
        return [
            SimpleNamespace(submission_id=name, status=SimpleNamespace(value=s)) for name, s in self.statuses.items()
        ]

    def submit_job(self, entrypoint: str, submission_id: str, runtime_env: dict[str, str]) -> None:
        assert submission_id not in self.statuses
        working = Path(runtime_env["working_dir"])
        self.sent.append(sorted(str(path.relative_to(working)) for path in working.rglob("*") if path.is_file()))
        words = shlex.split(entrypoint)
        assert words[:4] == ["python", "-m", "mtlbench", "run"]
        log = self.logs[submission_id] = ["a line of the driver's own"]
        assert words[5:] == ["--seeds", "1", "--address", "auto", "--no-ship", "--out", RESULTS, "--events"]
        there = working / words[4]
        run(there, out=working / RESULTS, executor="serial", display=lambda plan: _noting(log))
        self.statuses[submission_id] = "SUCCEEDED"

    async def tail_job_logs(self, name: str) -> AsyncIterator[str]:
        text = "\n".join(self.logs[name]) + "\n"
        middle = len(text) // 3
        yield text[:middle]
        if self.cut:
            raise KeyboardInterrupt
        yield text[middle:]

    def get_job_status(self, name: str) -> Any:
        return SimpleNamespace(value=self.statuses[name])

    def stop_job(self, name: str) -> None:
        self.stopped.append(name)
        self.statuses[name] = "STOPPED"

    def delete_job(self, name: str) -> None:
        del self.statuses[name], self.logs[name]


class _noting:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __enter__(self) -> Any:
        return lambda event: self.log.append(to_line(event))

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "here" / "my suite.yaml"  # a space, which a command line quotes
    path.parent.mkdir()
    path.write_text(SUITE, encoding="utf-8")
    return path


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(tmp_path)
    monkeypatch.setattr(ray_job, "_client", lambda address: made)
    return made


def submitted(suite: Path, **options: Any) -> Run:
    return run(suite, out=suite.parent / "results", executor="job", address="http://head:8265", seeds=1, **options)


def test_results_come_back_as_a_run_here_gives_them(suite: Path, cluster: Cluster) -> None:
    there, here = submitted(suite), run(suite, out=suite.parent / "own", executor="serial")
    assert there.ok
    numbers = ["trial", "split", "task", "metric", "step", "value"]
    timed = here.records["unit"].isin(["s", "1/s", "B"]) | here.records["metric"].str.contains("second")
    assert (there.records.loc[~timed, numbers].to_csv()) == (here.records.loc[~timed, numbers].to_csv())
    assert len(cluster.sent) == 1


def test_nothing_is_submitted_where_all_is_there(suite: Path, cluster: Cluster) -> None:
    run(suite, out=suite.parent / "results", executor="serial")
    assert submitted(suite).ok
    assert not cluster.sent


@pytest.mark.parametrize("stop", [True, False])
def test_what_came_before_the_connection_broke_stays_and_the_job_is_met_again(
    suite: Path, cluster: Cluster, stop: bool
) -> None:
    cluster.cut = True
    with pytest.raises(KeyboardInterrupt):
        submitted(suite, ask=lambda question: stop)
    assert bool(cluster.stopped) is stop
    assert list((suite.parent / "results" / "trials").glob("*.json"))
    cluster.cut = False
    assert submitted(suite).ok
    assert len(cluster.sent) == 1, "a job that has all results is not submitted again"


def test_what_an_ended_job_lacks_is_submitted_with_what_is_finished(suite: Path, cluster: Cluster) -> None:
    assert submitted(suite).ok
    (name,) = cluster.statuses
    cluster.logs[name] = cluster.logs[name][:3]
    cluster.statuses[name] = "FAILED"
    trials = sorted((suite.parent / "results" / "trials").glob("*.json"))
    trials[0].unlink()
    assert submitted(suite).ok
    assert len(cluster.sent) == 2
    assert any(path.startswith(f"{RESULTS}/trials/") for path in cluster.sent[1])


def test_a_job_that_fails_says_its_last_words(suite: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(entrypoint: str, submission_id: str, runtime_env: dict[str, str]) -> None:
        cluster.logs[submission_id], cluster.statuses[submission_id] = ["No module named mtlbench"], "FAILED"

    monkeypatch.setattr(cluster, "submit_job", fails)
    with pytest.raises(MtlbenchError, match=r"ended as FAILED.*\n.*No module named mtlbench"):
        submitted(suite)
