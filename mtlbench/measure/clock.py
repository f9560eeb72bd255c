"""Timing: clocks are read once the device has finished, and contenders are compared by interleaving."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

FEWEST_BLOCKS = 5


def now(device: torch.device) -> float:
    """Seconds on a monotonic clock, after all work queued on the device is done."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)
    return time.perf_counter()


def call_seconds(call: Callable[[], object], device: torch.device) -> float:
    """Seconds from a call until the device has done its work."""
    start = now(device)
    call()
    return now(device) - start


def device_seconds(call: Callable[[], object], device: torch.device) -> float:
    """Seconds that a CUDA device spends on the work that a call queues, by the device's clock."""
    import torch

    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    stream = torch.cuda.current_stream(device)
    first.record(stream)
    call()
    last.record(stream)
    torch.cuda.synchronize(device)
    seconds: float = first.elapsed_time(last) / 1000
    return seconds


def interleave(
    contenders: Mapping[str, Callable[[], object]],
    device: torch.device,
    blocks: int,
    seed: int = 0,
    *,
    before: Callable[[str], object] | None = None,
    clock: Callable[[Callable[[], object], torch.device], float] = call_seconds,
    budget: float = float("inf"),
) -> dict[str, list[float]]:
    """Mean seconds per call of every contender in every block.

    A block runs the contenders in a random order and then in the reverse of it (A B B A), so that a drift of the
    machine's speed falls on all alike. The first block warms up and is not reported.

    before  called with the contender's name, untimed, ahead of each of its calls
    clock   what is timed of a call
    budget  seconds after which no further block begins, once there are ``FEWEST_BLOCKS``
    """
    chance = random.Random(seed)
    names = list(contenders)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    began = time.monotonic()
    for block in range(blocks + 1):
        if block > FEWEST_BLOCKS and time.monotonic() - began > budget:
            break
        chance.shuffle(names)
        spent = dict.fromkeys(names, 0.0)
        for name in (*names, *reversed(names)):
            if before is not None:
                before(name)
            spent[name] += clock(contenders[name], device)
        for name in names if block else ():
            seconds[name].append(spent[name] / 2)
    return seconds


@dataclass(frozen=True)
class Ratio:
    """How many times faster one contender is than another: median over blocks with its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"


def speedup(reference: Sequence[float], contender: Sequence[float], seed: int = 0) -> Ratio:
    """Reference seconds over contender seconds: exp of the median log-ratio of the blocks, bootstrapped over blocks."""
    import numpy as np
    from scipy.stats import bootstrap

    logs = np.log(np.asarray(reference) / np.asarray(contender))
    interval = bootstrap((logs,), np.median, method="percentile", rng=np.random.default_rng(seed)).confidence_interval
    return Ratio(*(float(np.exp(value)) for value in (np.median(logs), interval.low, interval.high)))
