"""Accuracy against throughput, and which methods nothing beats on both."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from .deltas import Delta
from .evidence import Evidence
from .format import listing
from .parts import Figure, Part, file_names
from .plots import INK, QUIET, RULE, colour, draw, fit, place_labels, plain_numbers, spread_ratio
from .statistics import Interval

_MARKERS = "osD^vPX*"
_LABELLED = 12  # points up to which all are named


@dataclass(frozen=True)
class _Point:
    label: str
    engine: str
    rate: float
    gain: float
    interval: Interval | None
    baseline: bool


def section(evidence: Evidence) -> Part | None:
    """One figure a problem."""
    points = {problem: _points(evidence, problem) for problem in evidence.data.problems}
    points = {problem: found for problem, found in points.items() if len(found) > 1}
    names = file_names(points, "tradeoff")
    shared = any(timing.shared for timing in evidence.timings)
    figures = tuple(_figure(names[p], p, found, evidence.data.engines, shared) for p, found in points.items())
    return Part("tradeoff", "Accuracy against throughput", figures=figures) if figures else None


def _points(evidence: Evidence, problem: str) -> list[_Point]:
    found = []
    for delta in evidence.deltas:
        timing = evidence.timing(delta.problem, delta.method, delta.engine)
        if delta.problem != problem or timing is None or not math.isfinite(delta.mean):
            continue
        rate = timing.mean("samples_per_second")
        if math.isfinite(rate) and rate > 0:
            found.append(_point(evidence, delta, rate))
    return found


def _point(evidence: Evidence, delta: Delta, rate: float) -> _Point:
    several = len(evidence.data.engines_of(delta.problem, delta.method)) > 1
    label = f"{fit(delta.method, 20)} ({fit(delta.engine, 12)})" if several else fit(delta.method, 20)
    return _Point(label, delta.engine, rate, delta.mean, delta.interval, delta.baseline)


def _front(points: list[_Point]) -> list[_Point]:
    """Points that no other beats in both throughput and gain, slowest first."""
    best, front = -math.inf, []
    for point in sorted(points, key=lambda p: (-p.rate, -p.gain)):
        if point.gain > best:
            best = point.gain
            front.append(point)
    return front[::-1]


def _figure(name: str, problem: str, points: list[_Point], engines: tuple[str, ...], shared: bool) -> Figure:
    front = _front(points)
    note = "; other work shared the machine" if shared else ""
    title = f"Δm against training throughput on {problem}; the line joins what nothing beats on both{note}"
    alt = f"Scatter of {len(points)} methods. On the front, slowest first: {listing((p.label for p in front), 8)}"
    return draw(name, title, alt, (7.2, 4.0), lambda canvas: _paint(canvas, problem, points, front, engines))


def _paint(canvas: Canvas, problem: str, points: list[_Point], front: list[_Point], engines: tuple[str, ...]) -> None:
    axes = canvas.subplots()
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.plot([p.rate for p in front], [p.gain for p in front], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    for point in points:
        _mark(axes, point, engines.index(point.engine))
    if spread_ratio([point.rate for point in points]) > 4:
        axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    axes.margins(x=0.12, y=0.12)
    axes.set_xlabel("training samples per second", color=QUIET)
    axes.set_ylabel("Δm [%]", color=QUIET)
    axes.set_title(fit(problem, 60))
    used = [engine for engine in engines if any(point.engine == engine for point in points)]
    if len(used) > 1:
        for engine in used:
            i = engines.index(engine)
            axes.plot([], [], _MARKERS[i % len(_MARKERS)], color=colour(i), label=fit(engine))
        axes.legend(title="engine", loc="best", fontsize=8)
    named = points if len(points) <= _LABELLED else front
    place_labels(axes, [(p.rate, p.gain, p.label) for p in named], {p.label for p in front})


def _mark(axes: Axes, point: _Point, engine: int) -> None:
    tint = QUIET if point.baseline else colour(engine)
    if point.interval and not point.baseline:
        ends = [point.interval.low, point.interval.high]
        axes.plot([point.rate] * 2, ends, color=tint, linewidth=1, alpha=0.45)
    axes.plot(
        [point.rate],
        [point.gain],
        _MARKERS[engine % len(_MARKERS)],
        color=tint,
        markersize=6,
        markeredgecolor=RULE,
        markeredgewidth=0.5,
    )
