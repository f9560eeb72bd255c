"""What is known of an attempt whose worker gave no result: the status, the reason, and the worker's last words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayTaskError, WorkerCrashedError

from ..core.record import Result
from ..core.statuses import FAILED, LOST, OUT_OF_MEMORY
from .endings import one_line

_OF_OTHERS = "Top 10 memory users"  # from here on, Ray lists the command lines of whoever uses the machine
_CRASH, _MODULES = "Fatal Python error", "\nExtension modules:"  # what Python's faulthandler says, first and last
_MOST = 4096  # characters of a log
_USED = r"pid={}, actual memory used=([\d.]+)GB"  # what Ray's memory monitor says of each worker that it stops


def result_of(error: Exception, attempt: int, seconds: float, peak: int, words: str, pid: int) -> Result:
    """The result of an attempt that Ray answers with an error.

    ``peak`` is the most memory that its worker was seen to take, in bytes; ``words`` what the worker wrote last;
    ``pid`` its process, on whatever machine.
    """
    if isinstance(error, RayTaskError):  # it went wrong on the way to the trial, which keeps its own errors
        cause = error.cause if isinstance(error.cause, BaseException) else error
        status, reason = FAILED, one_line(cause)
    else:
        status = OUT_OF_MEMORY if isinstance(error, OutOfMemoryError) else LOST
        reason = _reason(error, words)
        used = re.search(_USED.format(pid), str(error))
        peak = max(peak, int(float(used[1]) * 1024**3)) if used else peak
    said = str(error).partition(_OF_OTHERS)[0].strip()
    trace = "\n\n".join(filter(None, [said, words and f"The worker's last words:\n{words}"]))
    return Result(status, attempt, error=reason, traceback=trace, seconds=seconds, peak_memory=peak)


def _reason(error: Exception, words: str) -> str:
    """Why a worker was lost, in one line."""
    if isinstance(error, WorkerCrashedError):  # whose text names files of Ray's, which do not outlive the run
        crash = words.partition("\n")[0].removeprefix(_CRASH).strip(": ") if words.startswith(_CRASH) else ""
        return f"its worker died{f' of a {crash}' if crash else ', killed or by an exit of its own'}"
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def last_words(pid: int) -> str:
    """The end of what a worker of this machine wrote to its standard error, or the stack of its crash; "" where nothing
    is found.
    """
    node: Any = ray._private.worker._global_node
    for path in sorted(Path(node.get_logs_dir_path()).glob(f"worker-*-{pid}.err")):
        try:
            words = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        _, found, stack = words.rpartition(_CRASH)
        if found:
            return f"{_CRASH}{stack.partition(_MODULES)[0]}".strip()[:_MOST]
        return words.strip()[-_MOST:]
    return ""
