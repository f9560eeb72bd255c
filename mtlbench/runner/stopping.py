"""Signals that ask a run to stop: Ctrl-C (SIGINT), SIGTERM, and SIGHUP when the terminal goes.

Each becomes ``Stop``, a KeyboardInterrupt, which everything on the way out, Ray's own code too, knows what to do with;
and which is told from a KeyboardInterrupt that the code of a trial raises.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_AGAIN = 1.0  # seconds: a second signal within them means the same as the first, and would only garble the way out
_AFRESH = 0.002  # seconds


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


def _keep_ignoring(done: threading.Event) -> None:
    """Ignore these signals over and over; by the system's own function, since Python's is for the main thread alone."""
    ignore_it = ctypes.CDLL(None).signal
    ignore_it.argtypes, ignore_it.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    while not done.wait(_AFRESH):
        for number in SIGNALS:
            ignore_it(number, int(signal.SIG_IGN))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No such signal interrupts this block, nor ends the process, whatever the block does to its handlers: Ray's
    shutdown gives SIGTERM its default action back, behind Python's back and seconds before it is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    done = threading.Event()
    keeper = threading.Thread(target=_keep_ignoring, args=(done,), name="mtlbench-signals", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
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
