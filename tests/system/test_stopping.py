"""A run that is stopped keeps what is finished, and the same command goes on from there."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from .conftest import Cli, command, goes_on, started


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
    process = started(command("run", suite, "--executor", executor), suite)
    for number in sent:
        process.send_signal(number)
        time.sleep(0.3)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code, output + errors
    assert "Traceback" not in output + errors
    assert "SIGTERM" not in errors  # nor a stack of Ray's
    assert "stopped" in errors
    goes_on(cli, suite)
