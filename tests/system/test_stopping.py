"""A run that is stopped keeps what is finished, and the same command goes on from there."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mtlbench.core.statuses import ENDED_WELL

from .conftest import Cli, command, heard, surroundings


# Ray has a handler for SIGTERM of its own.
@pytest.mark.parametrize(
    ("executor", "sent", "code"),
    [
        ("ray", [signal.SIGINT], 130),
        ("ray", [signal.SIGINT] * 2, 130),
        ("ray", [signal.SIGTERM] * 2, 143),
        ("ray", [signal.SIGHUP], 129),
        ("serial", [signal.SIGINT] * 2, 130),
        ("serial", [signal.SIGTERM] * 2, 143),
        ("serial", [signal.SIGHUP], 129),
    ],
    ids=str,
)
def test_what_stops_a_run_keeps_what_is_finished(
    cli: Cli, suite: Path, executor: str, sent: list[signal.Signals], code: int
) -> None:
    suite.write_text(suite.read_text().replace("epochs: 2", "epochs: 20").replace("seeds: 2", "seeds: 6"))
    process = subprocess.Popen(
        command("run", suite, "--executor", executor),
        cwd=suite.parent,
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,
    )
    trials = suite.parent / "results/small/trials"
    deadline = time.monotonic() + 120
    while not list(trials.glob("*.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    for number in sent:
        process.send_signal(number)
        time.sleep(0.3)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code, output + errors
    assert "Traceback" not in output + errors
    assert "SIGTERM" not in errors  # nor a stack of Ray's
    assert "stopped" in errors
    finished = list(trials.glob("*.json"))
    assert finished
    assert {json.loads(path.read_text())["result"]["status"] for path in finished} <= ENDED_WELL.keys()
    assert not [path for path in trials.iterdir() if path.name.startswith(".")]
    plan = json.loads(cli("plan", suite, "--json").stdout)
    assert [trial["state"] for trial in plan["trials"]].count("finished") == len(finished)
