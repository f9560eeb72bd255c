"""Signals that ask a run to stop: Ctrl-C (SIGINT), SIGTERM, and SIGHUP when the terminal goes.

Each becomes ``Stop``, a KeyboardInterrupt, which everything on the way out, Ray's own code too, knows what to do with;
and which is told from a KeyboardInterrupt that the code of a trial raises.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_AGAIN = 1.0  # seconds: a second signal within them means the same as the first, and would only garble the way out


class Stop(KeyboardInterrupt):
    """A signal came."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class _Raise:
    """A signal handler. ``number`` is the last signal that was raised, None before the first."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._at = float("-inf")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._at >= _AGAIN:
            self._at, self.number = now, number
            raise Stop(number)


_raise = _Raise()


def listen() -> None:
    """From now on these signals raise ``Stop`` in this process's main thread; one that is ignored (nohup) stays so."""
    _raise.number = None
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


def asked() -> int | None:
    """The signal that came since ``listen``, if any."""
    return _raise.number


def ignore() -> None:
    """From now on these signals do nothing: the process is about to end as they ask."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No such signal interrupts this block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ctrl_c_told_apart() -> Iterator[None]:
    """Within this block Ctrl-C raises ``Stop`` where it would have raised a plain KeyboardInterrupt."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
