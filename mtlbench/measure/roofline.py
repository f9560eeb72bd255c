"""Memory bandwidth: copies of a chosen size, and emptying of caches between calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_MOST_COPIED = 512 * 2**20  # bytes; a copy beyond any cache goes on at the same rate
_FEWEST_COPIED = 8
_UNKNOWN_CACHE = 64 * 2**20
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def cache_bytes(device: torch.device) -> int:
    """Size of the last cache before memory: a GPU's L2, a CPU's largest."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    return _cpu_cache()


@cache
def _cpu_cache() -> int:
    try:
        texts = [path.read_text(encoding="utf-8").strip() for path in _CACHES.glob("index*/size")]
        return max(int(text.rstrip("KMG")) * _UNITS.get(text[-1], 1) for text in texts)
    except (OSError, ValueError):  # not Linux, or no cache reported
        return _UNKNOWN_CACHE


class Eviction:
    """Evicts the data of timed calls from the caches, by modifying twice the size of the last cache."""

    def __init__(self, device: torch.device) -> None:
        import torch

        self.buffer = torch.zeros(2 * cache_bytes(device) // 4, device=device)

    @property
    def bytes(self) -> int:
        """The bytes that it touches. Work on more than this evicts its data from the caches anyway."""
        return self.buffer.nbytes

    def __call__(self) -> None:
        """Empty the caches of all cores that torch's threads run on."""
        self.buffer.add_(1.0)


def copy_of(traffic: int, device: torch.device) -> tuple[Callable[[], object], float]:
    """A copy that reads and writes ``traffic`` bytes in total, and the factor to multiply its time by.

    The factor is 1 but for sizes that are not worth allocating: those far beyond every cache.
    """
    import torch

    moved = max(_FEWEST_COPIED, min(traffic, _MOST_COPIED) // 8 * 8)
    source, target = torch.ones(moved // 8, device=device), torch.empty(moved // 8, device=device)
    return lambda: target.copy_(source), traffic / moved
