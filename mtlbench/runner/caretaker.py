"""What a local Ray leaves behind when its driver is killed: processes and files. Run as a script of its own.

A process of its own, since a killed driver can do nothing more. It waits until its standard input closes, which the
death of the driver does as well as ``Caretaker.close``, then ends what the driver's Ray had started and is still there,
and removes its folder. It knows its processes by that folder, which no other Ray has; it asks nothing while trials run,
so that it takes no time from them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

_PATIENCE = 3.0  # seconds to end by themselves
_ROUNDS = 5  # what was just being started may show up after the others have gone
_WAIT = 20.0  # seconds that the driver waits for all this


class Caretaker:
    """The process, seen from the driver; to be made before Ray starts. ``folder`` is all that is this Ray's own,
    ``package`` where Ray's code lies.
    """

    def __init__(self, folder: Path, package: Path) -> None:
        words = [str(folder), str(package)]
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


def _processes(folder: Path, package: str) -> Iterator[psutil.Process]:
    """Those that Ray started in a folder, whoever their parents are by now.

    Until they have given themselves a title, they run a file of Ray's package and have a place in the folder among
    their arguments; then, their titles are Ray's and they write to its logs.
    """
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            words = process.cmdline()
            if process.pid == os.getpid():  # whose arguments name both, too
                mine = False
            elif any(word.startswith(package) for word in words):
                mine = any(str(folder) in word for word in words)
            elif words and words[0].startswith("ray::"):
                mine = any(Path(file.path).is_relative_to(folder.resolve()) for file in process.open_files())
            else:
                mine = False
            if mine:
                yield process


def _end(processes: Iterable[psutil.Process]) -> None:
    """End those that still are what they were: psutil refuses an id that another process has taken over."""
    left = list(processes)
    for action in ("terminate", "kill"):
        for process in left:
            with contextlib.suppress(psutil.Error):
                getattr(process, action)()
        _, left = psutil.wait_procs(left, timeout=_PATIENCE)


def _clean_up(folder: Path, package: str) -> None:
    """End the processes of the folder's Ray, and remove it."""
    for _ in range(_ROUNDS):
        found = list(_processes(folder, package))
        if not found:
            break
        _end(found)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    while os.read(sys.stdin.fileno(), 1):
        pass
    _clean_up(Path(sys.argv[1]), sys.argv[2])
