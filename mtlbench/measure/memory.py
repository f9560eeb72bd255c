"""Peak memory of a piece of work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Peak bytes since this object was made.

    On CUDA, bytes of torch's tensors on the device. On a CPU, resident bytes of the whole process, interpreter and
    libraries included; where the system cannot reset its high-water mark (other than Linux), since the process began.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            import torch

            torch.cuda.init()
            torch.cuda.reset_peak_memory_stats(device)
        else:
            _reset_resident_peak()

    def read(self) -> int:
        """The peak so far, in bytes."""
        if self.device.type == "cuda":
            import torch

            return torch.cuda.max_memory_allocated(self.device)
        return _resident_peak()


def _reset_resident_peak() -> None:
    try:
        _CLEAR.write_text("5", encoding="utf-8")  # proc(5): resets VmHWM to the current size
    except OSError:
        return  # no such file, or not allowed: the mark stays that of the process


def peak_of(pid: int) -> int:
    """The peak so far of another process of this machine, as ``PeakMemory`` counts it on a CPU; 0 where it is gone."""
    try:
        return _high_water(Path(f"/proc/{pid}/status"))
    except (OSError, StopIteration):
        return 0


def _high_water(status: Path) -> int:
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _resident_peak() -> int:
    try:
        return _high_water(_STATUS)
    except (OSError, StopIteration):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
