"""Figures of the kernels: ratios with their intervals, and the roofline."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from ..evidence.kernel_timings import COPY, KernelTiming
from ..writing.figures import BAD, GOOD, INK, QUIET, UNCLEAR, WIDTH, colour, draw, plain_numbers, shortened
from ..writing.format import bracket, number
from ..writing.parts import Figure, file_names

_CACHES = {"warm": "o", "cold": "s"}
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def ratios(timings: Sequence[KernelTiming]) -> tuple[Figure, ...]:
    """One figure per device: how many times as fast ours is, one row per case and state of the caches."""
    timed = [timing for timing in timings if math.isfinite(timing.speedup[0])]
    devices = dict.fromkeys(timing.device for timing in timed)
    names = file_names(devices, "kernels")
    return tuple(_ratios(names[device], device, [t for t in timed if t.device == device]) for device in devices)


def _ratios(name: str, device: str, timings: list[KernelTiming]) -> Figure:
    title = f"Times as fast as the best other contender on {device}: median ratio with its 95 % interval"
    said = (f"{t.case}, {t.cache}: {bracket(*t.speedup, 2, sign=False)}, against {t.best_other}" for t in timings)
    height = 0.9 + 0.24 * len(timings)
    return draw(name, title, "; ".join(said), (WIDTH, height), lambda canvas: _paint_ratios(canvas, timings[::-1]))


def _paint_ratios(canvas: Canvas, timings: list[KernelTiming]) -> None:
    axes = canvas.subplots()
    for row, timing in enumerate(timings):
        value, interval = timing.speedup
        tint = UNCLEAR
        if interval:
            tint = GOOD if interval.low > 1 else BAD if interval.high < 1 else UNCLEAR
            axes.plot([interval.low, interval.high], [row, row], color=tint, linewidth=1.8)
        axes.plot([value], [row], _CACHES.get(timing.cache, "o"), color=tint, markersize=4.5)
    axes.axvline(1, color=INK, linewidth=0.9)
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    labels = [f"{shortened(timing.case, 56)}, {timing.cache}" for timing in timings]
    axes.set_yticks(range(len(timings)), labels, color=INK)
    axes.set_ylim(-0.7, len(timings) - 0.3)
    axes.tick_params(length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("times as fast as the best other contender; right of 1 is faster", color=QUIET)


def rooflines(timings: Sequence[KernelTiming]) -> tuple[Figure, ...]:
    """One figure per device: bytes per second against the bytes of a call, under the roof of a plain copy."""
    timed = [timing for timing in timings if math.isfinite(timing.rate(COPY))]
    devices = dict.fromkeys(timing.device for timing in timed)
    names = file_names(devices, "roofline")
    return tuple(_roofline(names[device], device, [t for t in timed if t.device == device]) for device in devices)


def _roofline(name: str, device: str, timings: list[KernelTiming]) -> Figure:
    title = f"Roofline on {device}: bytes by formula over time; the roof is a plain copy of as many bytes"
    said = (f"{t.case}, {t.cache}: {number(t.ceiling(t.best), 0)} % of the copy" for t in timings if t.best)
    alt = "Rates of memory: " + "; ".join(said)
    return draw(name, title, alt, (WIDTH, 3.8), lambda canvas: _paint_roofs(canvas, timings))


def _paint_roofs(canvas: Canvas, timings: list[KernelTiming]) -> None:
    caches = [cache for cache in _CACHES if any(timing.cache == cache for timing in timings)]
    grid = canvas.subplots(1, len(caches), sharey=True, squeeze=False)[0]
    for axes, cache in zip(grid, caches, strict=True):
        _paint_roof(axes, sorted((t for t in timings if t.cache == cache), key=lambda t: t.traffic))
        axes.set_title(f"caches {cache}")
    grid[0].set_ylabel("GB/s", color=QUIET)
    grid[0].legend(loc="lower right")


def _paint_roof(axes: Axes, timings: list[KernelTiming]) -> None:
    sizes = [timing.traffic for timing in timings]
    axes.plot(
        sizes, [timing.rate(COPY) / 1e9 for timing in timings], color=INK, linewidth=1.2, marker=".", label="copy"
    )
    ours, best_other = [(t, t.best) for t in timings], [(t, t.best_other) for t in timings]
    for i, (label, fastest) in enumerate((("ours", ours), ("best other", best_other))):
        points = [(t.traffic, t.rate(name) / 1e9) for t, name in fastest if name]
        axes.plot(*zip(*points, strict=True), "os"[i], color=colour(i), markersize=5, label=label) if points else None
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_numbers(axes.yaxis)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _bytes(value)))
    axes.set_xlabel("bytes of a call", color=QUIET)


def _bytes(value: float) -> str:
    unit, name = next(((size, name) for size, name in _UNITS if value >= size), (1.0, "B"))
    return f"{value / unit:g} {name}"
