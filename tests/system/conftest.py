"""A small suite on real data, and the command line as a user starts it."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mtlbench.cli import main
from mtlbench.core.statuses import ENDED_WELL
from mtlbench.runner.stopping import SIGNALS

SUITE = """\
suite: small
problem: {name: digits, tasks: [digit, parity]}
architecture: {name: shared, trunk: mlp, hidden: [16]}
methods:
  equal: {weighting: equal}
  fixed: {weighting: {name: fixed, weights: {digit: 0.7, parity: 0.3}}}
engines: [eager]
optimizer: {name: adam, lr: 1.0e-3}
train: {epochs: 2, batch_size: 64}
seeds: 2
references: []
"""
# A problem that misbehaves as its suite asks; it lives beside the suite, as a user's own would.
ODD = '''
import ctypes, os, pathlib, signal, sys, time
from mtlbench.problems.small.digits import Digits

class Odd(Digits):
    """Digits that misbehave."""
    mode: str = "well"
    marker: str = ""

    def load(self, seed, root):
        marker = pathlib.Path(root, self.marker) if self.marker else None
        if self.mode == "raise" and not (marker and marker.exists()):
            raise RuntimeError("the disk is on fire")
        if self.mode == "kill once" and not marker.exists():
            marker.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "hang":
            time.sleep(600)
        if self.mode == "exit":
            sys.exit("enough")
        if self.mode == "interrupt":
            raise KeyboardInterrupt("mine")
        if self.mode == "escape":
            raise RuntimeError("\\x00before\\x1b[31m red \\x1b]0;title\\x07\\x9b0m after")
        if self.mode == "crash":
            ctypes.string_at(0)
        if self.mode == "end":
            os._exit(3)
        if self.mode == "allocate":  # 2 GiB, unless it is stopped
            held = [os.urandom(1 << 20) * 64 for _ in range(32) if time.sleep(0.2) is None]
        return super().load(seed, root)
'''

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite file in a folder of its own, beside a module with an odd problem."""
    (tmp_path / "odd.py").write_text(ODD)
    path = tmp_path / "small.yaml"
    path.write_text(SUITE)
    return path


def command(*words: str | Path) -> list[str]:
    """The command line, by this environment's Python."""
    return [sys.executable, "-m", "mtlbench", *map(str, words)]


def surroundings() -> dict[str, str]:
    """The environment of a terminal that is wide enough for every table."""
    return {**os.environ, "COLUMNS": "300", "NO_COLOR": "1"}


def heard() -> None:
    """Before a process starts: signals do what they do at a terminal; a shell's `&` and nohup have them ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in {*SIGNALS} - {signal.SIGINT}:
        signal.signal(number, signal.SIG_DFL)


def started(words: list[str], suite: Path) -> subprocess.Popen[str]:
    """A run of many short trials, once the first of them has finished."""
    suite.write_text(suite.read_text().replace("epochs: 2", "epochs: 20").replace("seeds: 2", "seeds: 6"))
    process = subprocess.Popen(
        words,
        cwd=suite.parent,
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,
    )
    deadline = time.monotonic() + 120
    while not finished(suite) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


def finished(suite: Path) -> list[Path]:
    """The files of the trials that have finished."""
    return list((suite.parent / "results/small/trials").glob("*.json"))


def goes_on(cli: Cli, suite: Path) -> None:
    """Every trial that had finished is kept, whole, and no other file is there."""
    trials = finished(suite)
    assert trials
    assert {json.loads(path.read_text())["result"]["status"] for path in trials} <= ENDED_WELL.keys()
    assert not [path for path in trials[0].parent.iterdir() if path.name.startswith(".")]
    plan = json.loads(cli("plan", suite, "--json").stdout)
    assert [trial["state"] for trial in plan["trials"]].count("finished") == len(trials)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in the suite's folder to its end, in this process: one of its own would import torch each time.

    What ``command`` starts is a process, for tests of signals; an installed wheel is run as one, too.
    """
    monkeypatch.chdir(tmp_path)
    for name, value in surroundings().items():
        monkeypatch.setenv(name, value)

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        _forget_modules_in(tmp_path)
        monkeypatch.setattr(sys, "argv", ["mtlbench", *map(str, words)])
        capsys.readouterr()
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        said = capsys.readouterr()
        assert isinstance(code, int)
        return subprocess.CompletedProcess(words, code, said.out, said.err)

    return run


def _forget_modules_in(folder: Path) -> None:
    """A user's own modules, which the next command is to read again, as a new process would."""
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        if (file := getattr(module, "__file__", None)) and Path(file).parent == folder:
            del sys.modules[name]
