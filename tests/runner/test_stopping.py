"""Signals become one kind of interrupt, once, and only where they should."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtlbench.runner import stopping
from mtlbench.runner.held_back import stderr_held_back
from mtlbench.runner.stopping import SIGNALS, Stop


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:  # a shell's `&` and nohup have them ignored
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    """Send this process a signal, and let its handler run."""
    os.kill(os.getpid(), number)
    time.sleep(0)


@pytest.mark.parametrize("number", SIGNALS, ids=str)
def test_a_second_signal_means_the_same_as_the_first(number: int) -> None:
    stopping._raise._at = float("-inf")
    stopping.listen()
    assert stopping.asked() is None
    with pytest.raises(Stop):
        send(number)
    for again in SIGNALS:
        send(again)
    assert stopping.asked() == number


def test_later_it_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first may have come in the middle of code that swallows it."""
    stopping._raise._at = float("-inf")
    stopping.listen()
    with pytest.raises(Stop):
        send(signal.SIGTERM)
    stopping._raise._at -= stopping._AGAIN
    with pytest.raises(Stop):
        send(signal.SIGTERM)


def test_what_is_ignored_stays_so() -> None:
    """As by nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stopping.listen()
    send(signal.SIGHUP)
    assert stopping.asked() is None


def test_nothing_disturbs_what_must_not_be() -> None:
    stopping._raise._at = float("-inf")
    stopping.listen()
    with stopping.undisturbed():
        for number in SIGNALS:
            send(number)
    assert stopping.asked() is None
    with pytest.raises(Stop):
        send(signal.SIGINT)


def test_not_even_where_a_library_resets_handlers() -> None:
    reset = ctypes.CDLL(None).signal
    reset.argtypes = (ctypes.c_int, ctypes.c_void_p)
    stopping._raise._at = float("-inf")
    stopping.listen()
    with stopping.undisturbed():
        reset(signal.SIGTERM, None)  # to its default action, which Python does not see
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        while "00004000" not in _ignored():
            pass
        send(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is stopping._raise


def _ignored() -> str:
    """The signals that this process ignores, of which SIGTERM alone is looked at."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigIgn"))
    return f"{int(line.split()[1], 16) & 1 << (signal.SIGTERM - 1):08x}"


def test_ctrl_c_is_told_from_what_code_raises() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stopping._raise._at = float("-inf")
    with stopping.ctrl_c_told_apart(), pytest.raises(Stop):
        send(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_libraries_say_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with stderr_held_back():
        os.write(2, b"Failed to determine local IP")
        os.system("echo so is what it starts >&2")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"
    with pytest.raises(KeyError), stderr_held_back():
        raise KeyError
    os.write(2, b"again")
    assert capfd.readouterr().err == "again"
