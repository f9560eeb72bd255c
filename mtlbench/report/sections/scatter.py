"""Accuracy against throughput, and which methods nothing beats on both."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ...core.wording import listing
from ..evidence.evidence import Evidence
from ..evidence.statistics import Interval
from ..writing.figures import (
    INK,
    QUIET,
    RULE,
    WIDTH,
    colour,
    draw,
    place_labels,
    plain_numbers,
    shortened,
    spread_ratio,
)
from ..writing.parts import Figure, Part, file_names

_MARKERS = "osD^vPX*"
_LABELLED = 12  # methods up to which all are named


@dataclass(frozen=True)
class _Point:
    method: str
    engine: str
    rate: float
    gain: float
    interval: Interval | None
    baseline: bool


def section(evidence: Evidence) -> Part | None:
    """One figure per problem."""
    points = {problem: _points(evidence, problem) for problem in evidence.data.problems}
    points = {problem: listed for problem, listed in points.items() if len(listed) > 1}
    names = file_names(points, "tradeoff")
    shared = any(timing.shared for timing in evidence.timings)
    figures = tuple(_figure(names[p], p, listed, evidence.data.engines, shared) for p, listed in points.items())
    return Part("tradeoff", "Accuracy against throughput", figures=figures) if figures else None


def _points(evidence: Evidence, problem: str) -> list[_Point]:
    points = []
    for delta in evidence.deltas:
        timing = evidence.timing(delta.problem, delta.method, delta.engine)
        if delta.problem != problem or timing is None or delta.tasks or not math.isfinite(delta.mean):
            continue
        rate = timing.mean("samples_per_second")
        if math.isfinite(rate) and rate > 0:
            points.append(_Point(delta.method, delta.engine, rate, delta.mean, delta.interval, delta.baseline))
    return points


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
    title = f"Δm against training throughput on {problem}; the dashed line joins what nothing beats on both"
    title += "; thin lines join the engines of a method" if len({point.engine for point in points}) > 1 else ""
    title += "; other work shared the machine" if shared else ""
    names = (f"{point.method} ({point.engine})" for point in front)
    alt = f"Scatter of {len(points)} methods and engines. Nothing beats, slowest first: {listing(names, 8)}"
    return draw(name, title, alt, (WIDTH, 4.4), lambda canvas: _paint(canvas, problem, points, front, engines))


def _paint(canvas: Canvas, problem: str, points: list[_Point], front: list[_Point], engines: tuple[str, ...]) -> None:
    axes = canvas.subplots()
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.plot([p.rate for p in front], [p.gain for p in front], color=QUIET, linewidth=1.2, linestyle=(0, (4, 3)))
    methods = {p.method: sorted((q for q in points if q.method == p.method), key=lambda q: q.rate) for p in points}
    for group in methods.values():
        axes.plot([p.rate for p in group], [p.gain for p in group], color=RULE, linewidth=0.8, zorder=1)
    for point in points:
        _mark(axes, point, engines.index(point.engine))
    if spread_ratio([point.rate for point in points]) > 3:
        axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    axes.margins(x=0.12, y=0.12)
    axes.set_xlabel("training samples per second", color=QUIET)
    axes.set_ylabel("Δm [%]", color=QUIET)
    axes.set_title(shortened(problem, 60))
    _legend(canvas, axes, engines, {point.engine for point in points})
    shown = {point.method for point in (points if len(methods) <= _LABELLED else front)}
    labels = [
        (group[-1].rate, group[-1].gain, shortened(method, 20)) for method, group in methods.items() if method in shown
    ]
    place_labels(canvas, axes, labels, {shortened(point.method, 20) for point in front})


def _legend(canvas: Canvas, axes: Axes, engines: tuple[str, ...], used: set[str]) -> None:
    if len(used) < 2:
        return
    for i, engine in enumerate(engines):
        if engine in used:
            axes.plot([], [], _MARKERS[i % len(_MARKERS)], color=colour(i), label=shortened(engine))
    canvas.legend(loc="outside upper right", ncols=min(6, len(used)), fontsize=8)


def _mark(axes: Axes, point: _Point, engine: int) -> None:
    tint = QUIET if point.baseline else colour(engine)
    if point.interval and not point.baseline:
        ends = [point.interval.low, point.interval.high]
        axes.plot([point.rate] * 2, ends, color=tint, linewidth=1, alpha=0.45)
    marker = _MARKERS[engine % len(_MARKERS)]
    axes.plot([point.rate], [point.gain], marker, color=tint, markersize=6, markeredgecolor=RULE, markeredgewidth=0.5)
