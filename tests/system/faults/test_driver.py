"""What happens to the process that runs a suite, and to the Ray that it started: killed, or its head is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ..conftest import Cli, command, finished, goes_on, started, surroundings

BRIEF = "import sys, mtlbench.runner.ray_nodes as nodes; nodes.SILENCE = 4.0; from mtlbench.cli import main; main()"


def gone(processes: list[psutil.Process], folder: Path) -> bool:
    """Whether nothing is left of a Ray, as soon as that is so; it is given 30 seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not any(map(psutil.Process.is_running, processes)) and not list(folder.iterdir()):
            return True
        time.sleep(0.2)
    return False


def test_a_killed_driver_leaves_nothing_running(cli: Cli, suite: Path, ray_folder: Path) -> None:
    process = started(command("run", suite), suite)
    ours = psutil.Process(process.pid).children(recursive=True)
    assert {"ray::DashboardAgent", "ray::RuntimeEnvAgent"} <= {" ".join(one.cmdline()[:1]) for one in ours}
    process.kill()
    process.communicate()
    assert gone(ours, ray_folder), [one for one in ours if one.is_running()]
    goes_on(cli, suite)


@pytest.mark.soak
@pytest.mark.parametrize("kill", range(20))
def test_at_no_moment_does_it(cli: Cli, suite: Path, ray_folder: Path, kill: int) -> None:
    """At another moment each time, of its start, too."""
    process = subprocess.Popen(
        command("run", suite),
        cwd=suite.parent,
        env=surroundings(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(1.5 * kill)
    ours = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert gone(ours, ray_folder), [one for one in ours if one.is_running()]
    plan = json.loads(cli("plan", suite, "--json").stdout)
    assert [trial["state"] for trial in plan["trials"]].count("finished") == len(finished(suite))


@pytest.mark.soak
def test_a_lost_head_ends_the_run_as_ctrl_c_does(cli: Cli, suite: Path, ray_folder: Path) -> None:
    process = started([sys.executable, "-c", BRIEF, "run", str(suite)], suite)
    ours = psutil.Process(process.pid).children(recursive=True)
    (head,) = (one for one in ours if one.name() == "gcs_server")
    head.kill()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 75, output + errors
    told = "stopped: Ray's head (GCS) has not answered for 4 s"
    assert errors.strip() == f"{told}; finished trials are kept; the same command goes on from here"
    assert gone(ours, ray_folder), [one for one in ours if one.is_running()]
    goes_on(cli, suite)


def test_a_terminal_that_goes_takes_no_code_with_it(suite: Path) -> None:
    """Nobody reads what the run says any more; SIGHUP comes, and the exit code is its own."""
    process = started(command("run", suite, "--executor", "serial"), suite)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 128 + signal.SIGHUP


@pytest.mark.parametrize("value", ["{here}/" + "long" * 30, "/proc/nowhere"], ids=["a long path", "no folder"])
def test_where_ray_cannot_start_the_reason_is_told(suite: Path, value: str) -> None:
    environment = {**surroundings(), "RAY_TMPDIR": value.format(here=suite.parent)}
    ran = subprocess.run(command("run", suite), cwd=suite.parent, env=environment, capture_output=True, text=True)
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert line.startswith("cannot start Ray: ")
    assert line.endswith("; set RAY_TMPDIR to a short path, or use --executor serial")
    assert (value in line) or "107 bytes" in line


def test_a_home_that_cannot_be_written_is_not_needed(suite: Path) -> None:
    environment = {**surroundings(), "HOME": "/proc/nowhere"}
    ran = subprocess.run(command("run", suite), cwd=suite.parent, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
