"""CPU load by other processes during a timing."""

from __future__ import annotations

import time

import psutil

NOTICEABLE = 0.1  # of all logical cores


class ForeignLoad:
    """CPU use by others since this object was created: the machine's, minus that of this process and its children."""

    def __init__(self) -> None:
        self.started = (time.monotonic(), _busy_seconds(), _own_seconds())

    def cores(self) -> float:
        """Mean number of cores used by others."""
        clock, busy, ours = self.started
        elapsed = max(time.monotonic() - clock, 1e-9)
        return max(0.0, (_busy_seconds() - busy) - (_own_seconds() - ours)) / elapsed

    def noticeable(self) -> bool:
        """Whether others used enough of the machine to disturb a timing."""
        return self.cores() > NOTICEABLE * (psutil.cpu_count() or 1)


def _busy_seconds() -> float:
    """CPU seconds of all processes since boot, including time stolen by a hypervisor."""
    times = psutil.cpu_times()
    fields = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(getattr(times, name, 0.0) for name in fields)


def _own_seconds() -> float:
    """CPU seconds of this process, of its living children and of those it has waited for."""
    this = psutil.Process()
    total = 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            total += sum(process.cpu_times()[:4])  # user, system, and both of children that have ended
        except psutil.NoSuchProcess:
            continue
    return total
