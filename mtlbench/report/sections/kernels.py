"""Kernels: ours against the best of the others, call by call and against what memory allows."""

from __future__ import annotations

import math

import pandas as pd

from ...core.wording import plural
from ..evidence.evidence import Evidence
from ..evidence.kernel_timings import KernelTiming, headlines
from ..writing.format import NOTHING, bracket, number, short
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table, panel_of
from .kernel_figures import ratios, rooflines

_CAPTION = (
    "Median time of a call, Python included, of mtlbench's kernel and of the fastest other contender; “times as fast” "
    "is the median of their paired ratio with its 95 % bootstrap interval over processes and blocks. Contenders took "
    "turns in random order within each process and were checked against a reference before and after. Warm: the same "
    "call ran just before; cold: the caches were emptied; work larger than the caches is always cold. Copy: the rate "
    "of the bytes that the operation must move at the least, in percent of a plain copy of as many bytes, timed in "
    "turn with the rest (above 100 % where data stay in a cache that the copy's do not, or are updated in place: a "
    "copy reads the lines that it writes, too). Machine: busy where other work used it."
)
_COLUMNS = (
    Column("kernel", number=False),
    Column("caches", number=False),
    Column("ours", number=False),
    Column("ours [µs]"),
    Column("of copy [%]"),
    Column("best other", number=False),
    Column("best other [µs]"),
    Column("times as fast"),
    Column("on the device [µs]"),
    Column("times as fast there"),
    Column("machine", number=False),
)
_ON_DEVICE = {"on the device [µs]", "times as fast there"}
_WORDS = ("kernel", "caches", "contender")
_NUMBERS = ("p10 [µs]", "p50 [µs]", "p90 [µs]", "on the device [µs]", "GB/s", "of copy [%]")


def section(evidence: Evidence) -> Part | None:
    """One panel per device, one row per case and state of the caches; every contender folded below."""
    timings = evidence.kernels
    if not timings:
        return None
    raw = pd.DataFrame([_raw(timing, name) for timing in timings for name in timing.contenders])
    devices = tuple(dict.fromkeys(timing.device for timing in timings))
    by_device = [(device, [t for t in timings if t.device == device]) for device in devices]
    panels = tuple(_panel(device, group) for device, group in by_device)
    folded = tuple(_everyone(device, group) for device, group in by_device)
    table = Table("kernels", "Kernels", _CAPTION, raw, panels, folded, "every contender")
    return Part("kernels", "Kernels", _warnings(timings), (table,), (*ratios(timings), *rooflines(timings)))


def statements(evidence: Evidence) -> list[Statement]:
    """For the verdict: how often ours is faster, and by how much, on each device."""
    said = []
    timings = [t for t in headlines(evidence.kernels) if math.isfinite(t.speedup[0])]
    for device in dict.fromkeys(timing.device for timing in timings):
        on_device = [timing for timing in timings if timing.device == device]
        values = [timing.speedup[0] for timing in on_device]
        faster = sum(bool(t.speedup[1] and t.speedup[1].low > 1) for t in on_device)
        slower = sum(bool(t.speedup[1] and t.speedup[1].high < 1) for t in on_device)
        middle = math.exp(sum(map(math.log, values)) / len(values))
        text = (
            f"On {device}, mtlbench's kernels were clearly faster than the best other contender in {faster} of "
            f"{plural(len(on_device), 'case')} and clearly slower in {slower}: {number(middle, 2)} times as fast in "
            f"the geometric mean, from {number(min(values), 2)} to {number(max(values), 2)}."
        )
        if any(timing.shared for timing in on_device):
            text += " Other work ran on the machine, so take this as a hint."
        said.append(Statement(text))
    return said


def _warnings(timings: tuple[KernelTiming, ...]) -> tuple[Statement, ...]:
    said = []
    shared = sum(timing.shared for timing in timings)
    if shared:
        said.append(
            f"{shared} of {plural(len(timings), 'row')} were timed while other work used the machine (marked “busy”): "
            "hints, not measurements."
        )
    alone = dict.fromkeys(t.case for t in timings if not (t.best and t.best_other))
    if alone:
        said.append(f"Nothing to compare for {', '.join(alone)}: ours, or all others, are missing; see Notes.")
    return tuple(Statement(text, "warning") for text in said)


def _raw(timing: KernelTiming, name: str) -> dict[str, object]:
    ratio, interval = timing.speedup if name == timing.best else (math.nan, None)
    return {
        "kernel": timing.case,
        "device": timing.device,
        "cache": timing.cache,
        "contender": name,
        "ours": name in timing.ours,
        "p10_us": timing.microseconds(name, 0.1),
        "p50_us": timing.microseconds(name),
        "p90_us": timing.microseconds(name, 0.9),
        "device_us": timing.device_microseconds(name),
        "bytes": timing.traffic,
        "gb_per_second": timing.rate(name) / 1e9,
        "percent_of_copy": timing.ceiling(name),
        "best_other": timing.best_other if name == timing.best else "",
        "times_as_fast": ratio,
        "times_low": interval.low if interval else math.nan,
        "times_high": interval.high if interval else math.nan,
        "device_times_as_fast": timing.device_speedup[0] if name == timing.best else math.nan,
        "processes": timing.calls.index.get_level_values("seed").nunique(),
        "blocks": int(timing.calls[name].count()),
        "busy": timing.shared,
    }


def _panel(device: str, timings: list[KernelTiming]) -> Panel:
    hidden = set() if any(len(timing.kernels) for timing in timings) else set(_ON_DEVICE)
    if not any(math.isfinite(timing.ceiling(timing.best)) for timing in timings):
        hidden.add("of copy [%]")
    return panel_of(device, _COLUMNS, [_row(timing) for timing in timings], hidden)


def _row(timing: KernelTiming) -> list[Cell]:
    ours, other = timing.best, timing.best_other
    return [
        Cell(timing.case),
        Cell(timing.cache),
        Cell(ours or NOTHING),
        _number(timing.microseconds(ours)),
        _number(timing.ceiling(ours)),
        Cell(other or NOTHING),
        _number(timing.microseconds(other)),
        Cell(bracket(*timing.speedup, 2, sign=False), timing.speedup[0]),
        _number(timing.device_microseconds(ours)),
        Cell(bracket(*timing.device_speedup, 2, sign=False), timing.device_speedup[0]),
        Cell("busy" if timing.shared else "quiet"),
    ]


def _number(value: float) -> Cell:
    return Cell(short(value), value)


def _everyone(device: str, timings: list[KernelTiming]) -> Panel:
    rows = []
    for timing in timings:
        for name in timing.contenders:
            quantiles = [timing.microseconds(name, quantile) for quantile in (0.1, 0.5, 0.9)]
            numbers = [*quantiles, timing.device_microseconds(name), timing.rate(name) / 1e9, timing.ceiling(name)]
            rows.append((Cell(timing.case), Cell(timing.cache), Cell(name), *map(_number, numbers)))
    words = (Column(title, number=False) for title in _WORDS)
    return Panel(device, (*words, *map(Column, _NUMBERS)), tuple(rows))
