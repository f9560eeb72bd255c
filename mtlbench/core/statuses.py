"""How a trial can stand: the statuses of results, and what each says.

A result of an earlier version that ended badly has the status "failed", whatever its cause.
"""

from __future__ import annotations

from collections.abc import Mapping

OK, CONTENDED = "ok", "contended"
FAILED, DIVERGED, TIMEOUT, OUT_OF_MEMORY, LOST = "failed", "diverged", "timeout", "out of memory", "lost"
MISSING = "missing"

ENDED_WELL = {
    OK: "it ended well",
    CONTENDED: "it ended well, but other work ran on the machine that it was to have to itself: its times do not count",
}
ENDED_BADLY = {
    FAILED: "it raised an error",
    DIVERGED: "a loss became NaN or infinite",
    TIMEOUT: "it ran longer than its resources allow",
    OUT_OF_MEMORY: "it was refused memory, or stopped before its machine ran out of it",
    LOST: "its process, its machine, or the word from them was lost, or it was never started",
}


def counted(numbers: Mapping[str, int]) -> str:
    """How many ended badly, of the number of trials by status: "2 failed, 1 lost"; "" where there is none."""
    found = {status: numbers.get(status, 0) for status in ENDED_BADLY}
    return ", ".join(f"{number:,} {_CALLED.get(status, status)}" for status, number in found.items() if number)


_CALLED = {TIMEOUT: "timed out", OUT_OF_MEMORY: "ran out of memory"}
