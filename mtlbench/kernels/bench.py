"""One kernel trial: every contender of one case, interleaved in one process, checked before and after it is timed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch

from ..core.errors import MtlbenchError, TimedOut
from ..core.record import Record
from ..core.seeding import derive
from ..measure.clock import call_seconds, device_seconds, interleave
from ..measure.roofline import Eviction, copy_of
from .base import Contender, Kernel

Clock = Callable[[Callable[[], object], torch.device], float]
COPY = "copy"  # the name of the bandwidth ceiling among the contenders
_WARM_UP = 3


@dataclass
class _Lane:
    """A contender under test; ``calls`` is counted because the expected result depends on it."""

    contender: Contender
    calls: int = 0

    def __call__(self) -> None:
        self.contender.call()
        self.calls += 1

    def check(self) -> None:
        self.contender.check(self.calls)


@dataclass
class Bench:
    """A kernel on a device.

    rounds   maximum number of blocks per timing; no further block starts after ``seconds``
    notes    why contenders are missing
    """

    kernel: Kernel
    device: torch.device
    seed: int
    rounds: int
    seconds: float
    deadline: float
    lanes: dict[str, _Lane] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def run(self, contenders: Iterable[str]) -> tuple[tuple[Record, ...], tuple[str, ...]]:
        """Records of the contenders with correct results, notes on those that are wrong or cannot run.

        Raises MtlbenchError where nothing is left to time, TimedOut.
        """
        makers = self.kernel.prepare(self.device)
        for name in contenders:
            self._try(name, partial(self._enter, name, makers[name]))
        if not self.lanes:
            raise MtlbenchError(f"no contender could be timed: {'; '.join(self.notes)}")
        with _no_collection():
            timed = [*self._time(self.lanes, "call_seconds", call_seconds)]
            if self.device.type == "cuda":
                timed += self._replays(makers)
        for name, lane in list(self.lanes.items()):
            self._try(name, lane.check)  # the timed buffers themselves
        timed = [record for record in timed if record.task in {*self.lanes, COPY}]
        ours = [Record("ours", float(name in self.kernel.ours), task=name) for name in self.lanes]
        return (*ours, *timed, Record("bytes", self.kernel.traffic(), unit="B")), tuple(self.notes)

    def _enter(self, name: str, maker: Callable[[], Contender]) -> None:
        """Create a contender, warm it up and check its result; it takes part if nothing is raised."""
        self.lanes[name] = _warmed(maker())

    def _try(self, name: str, action: Callable[[], object], loss: str = "not timed") -> None:
        """Run an action; if it raises, the contender is removed, with a note on the reason."""
        if time.monotonic() > self.deadline:
            raise TimedOut("timed out: raise kernels.timeout, or lower kernels.seconds")
        try:
            action()
        except Exception as error:  # a contender may be anyone's code
            self.lanes.pop(name, None)
            kind = "" if isinstance(error, MtlbenchError) else f"{type(error).__name__}: "
            self.notes.append(f"{name} was {loss}: {kind}{' '.join(str(error).split())[:300]}")

    def _time(self, calls: Mapping[str, Callable[[], object]], metric: str, clock: Clock) -> Iterator[Record]:
        """Times of every block, with warm and cold caches; copies of the same traffic are timed as well."""
        evict, traffic = Eviction(self.device), self.kernel.traffic()
        copy, factor = copy_of(traffic, self.device)
        runners = {**calls, COPY: copy} if traffic else dict(calls)
        preparations: dict[str, Callable[[str], object]] = {
            "warm": lambda name: runners[name](),
            "cold": lambda name: evict(),
        }
        if traffic > evict.bytes:
            del preparations["warm"]  # a call evicts its own first data from the caches
        for cache, before in preparations.items():
            seed = derive(self.seed, "order", metric, cache)
            times = interleave(runners, self.device, self.rounds, seed, before=before, clock=clock, budget=self.seconds)
            for name, blocks in times.items():
                scale = factor if name == COPY else 1.0
                for block, seconds in enumerate(blocks):
                    yield Record(metric, scale * seconds, cache, name, "s", higher_is_better=False, step=block)

    def _replays(self, makers: Mapping[str, Callable[[], Contender]]) -> Iterator[Record]:
        """Times on the device alone, from CUDA graphs of contenders with fresh buffers."""
        graphs: dict[str, _Lane] = {}
        for name in self.lanes:
            self._try(f"{name}'s kernel time", partial(self._capture, graphs, name, makers[name]), "not measured")
        yield from self._time(graphs, "kernel_seconds", device_seconds)
        for lane in graphs.values():
            lane.check()

    def _capture(self, graphs: dict[str, _Lane], name: str, maker: Callable[[], Contender]) -> None:
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):  # CUDA requires warm-up and capture on the same side stream
            lane = _warmed(maker())
        torch.cuda.current_stream(self.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            lane.contender.call()
        graphs[name] = _Lane(Contender(graph.replay, lane.contender.check), lane.calls)


def _warmed(contender: Contender) -> _Lane:
    lane = _Lane(contender)
    for _ in range(_WARM_UP):
        lane()
    lane.check()
    return lane


@contextmanager
def _no_collection() -> Iterator[None]:
    """Python's garbage collector would stop whichever contender happens to run."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
