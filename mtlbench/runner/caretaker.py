"""What a local Ray leaves behind when its driver is killed: processes and files. Run as a script of its own.

A process of its own, since a killed driver can do nothing more. It waits until its standard input closes, which the
death of the driver does as well as ``Caretaker.close``, then ends what this Ray had started and is still there, by
process id and time of creation, and removes the folder of this Ray's session.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

_LONGEST = 30.0  # seconds between two looks for new children
_PATIENCE = 3.0  # seconds to end by themselves
_WAIT = 15.0  # seconds that the driver waits for all this


class Caretaker:
    """The process, seen from the driver. ``daemons`` are the ids of what Ray started, ``parent`` the one of them that
    starts others, ``folder`` that of the session.
    """

    def __init__(self, daemons: Iterable[int], parent: int, folder: Path) -> None:
        words = [str(folder), str(parent), *map(str, daemons)]
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the driver
        )

    def close(self) -> None:
        """Have it do its work, now that Ray has been shut down, and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_WAIT)


def _watch(parent: int, daemons: Iterable[int]) -> set[psutil.Process]:
    """All of Ray's processes that were seen until standard input closed."""
    seen = set(filter(None, map(_process, daemons)))
    pause = 0.5
    while True:
        if raylet := _process(parent):
            with contextlib.suppress(psutil.Error):
                seen.update(raylet.children())
        ready, _, _ = select.select([sys.stdin], [], [], pause)
        if ready and not os.read(sys.stdin.fileno(), 1):
            return seen
        pause = min(2 * pause, _LONGEST)


def _process(pid: int) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid)
    return None


def _end(processes: Iterable[psutil.Process]) -> None:
    """End those that still are what they were: psutil refuses an id that another process has taken over."""
    left = list(processes)
    for action in ("terminate", "kill"):
        for process in left:
            with contextlib.suppress(psutil.Error):
                getattr(process, action)()
        _, left = psutil.wait_procs(left, timeout=_PATIENCE)


def _remove(folder: Path) -> None:
    """Remove the session's folder, and the link to the latest session where it is this one."""
    latest = folder.parent / "session_latest"
    with contextlib.suppress(OSError):
        if latest.is_symlink() and latest.resolve() == folder.resolve():
            latest.unlink()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _end(_watch(int(sys.argv[2]), map(int, sys.argv[3:])))
    _remove(Path(sys.argv[1]))
