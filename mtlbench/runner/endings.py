"""Why an attempt at a trial ended badly: from what it raised to a status and a reason in one line."""

from __future__ import annotations

from ..core.errors import Diverged, MtlbenchError, TimedOut
from ..core.statuses import DIVERGED, FAILED, OUT_OF_MEMORY, TIMEOUT

# What libraries raise besides MemoryError and torch.OutOfMemoryError, by what they say.
_OF_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def status_of(failure: BaseException) -> str:
    """The status of an attempt that ended with this; what it was caused by counts, since libraries wrap errors."""
    for error in _chain(failure):
        if isinstance(error, Diverged):
            return DIVERGED
        if isinstance(error, TimedOut):
            return TIMEOUT
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return OUT_OF_MEMORY
        if isinstance(error, RuntimeError) and any(words in str(error) for words in _OF_MEMORY):
            return OUT_OF_MEMORY
    return FAILED


def one_line(failure: BaseException) -> str:
    """The reason for a table; the user's own mistakes need no class name."""
    text = " ".join(str(failure).split()) or "no message"
    return text if isinstance(failure, MtlbenchError) else f"{type(failure).__name__}: {text}"


def _chain(failure: BaseException) -> list[BaseException]:
    """An error, and those that it was raised from."""
    found: list[BaseException] = []
    error: BaseException | None = failure
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__
    return found
