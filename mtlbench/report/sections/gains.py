"""Where Delta m comes from: one bar per method with its interval, and each task's share of it."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure as Canvas

from ...core.wording import plural
from ..evidence.deltas import Delta
from ..evidence.doubts import LARGEST_SHARE
from ..evidence.evidence import Evidence
from ..evidence.statistics import Gain
from ..writing.figures import INK, QUIET, TONES, UNCLEAR, WIDTH, draw, shortened
from ..writing.format import NOTHING, number
from ..writing.parts import Cell, Column, Figure, Panel, Part, Table, file_names
from .verdict import gains

_CAPTION = (
    "Relative gain of each task's main test metric over single-task training, in percent, positive is better; their "
    "mean is Δm. In parentheses the task's share of the sum of absolute gains: above "
    f"{100 * LARGEST_SHARE:.0f} % the report warns where something is decided, since Δm then speaks of that task alone."
)
_MOST = 8  # tasks of a panel with one column each


def section(evidence: Evidence) -> Part | None:
    """One figure and one panel per problem."""
    problems = {problem: _shown(evidence.of(problem)) for problem in evidence.data.problems}
    problems = {problem: deltas for problem, deltas in problems.items() if deltas}
    if not problems:
        return None
    names = file_names(problems, "delta_m")
    figures = tuple(_figure(names[problem], problem, deltas) for problem, deltas in problems.items())
    several = {problem: deltas for problem, deltas in problems.items() if len(evidence.data.tasks(problem)) > 1}
    panels = tuple(_panel(evidence, problem, deltas) for problem, deltas in several.items())
    raw = pd.DataFrame([row for deltas in several.values() for delta in deltas for row in _raw(evidence, delta)])
    tables = (Table("shares", "Shares of Δm", _CAPTION, raw, panels),) if panels else ()
    return Part("gains", "Gain over single-task training", tables=tables, figures=figures)


def _shown(deltas: tuple[Delta, ...]) -> list[Delta]:
    return sorted((delta for delta in deltas if delta.relative), key=lambda delta: -delta.mean)


def _by_task(evidence: Evidence, delta: Delta) -> dict[str, tuple[float, float]]:
    """{task: its gain and its share}."""
    gain = delta.relative
    assert isinstance(gain, Gain)  # of those that are shown
    names = [task.name for task in evidence.data.targets(delta.problem, delta.method)]
    return dict(zip(names, zip(gain.per_task.tolist(), gain.shares.tolist(), strict=True), strict=True))


def _raw(evidence: Evidence, delta: Delta) -> list[dict[str, object]]:
    head = {"problem": delta.problem, "method": delta.method, "engine": delta.engine}
    return [{**head, "task": t, "gain": gain, "share": part} for t, (gain, part) in _by_task(evidence, delta).items()]


def _panel(evidence: Evidence, problem: str, deltas: list[Delta]) -> Panel:
    tasks = [task.name for task in evidence.data.tasks(problem)]
    head = Column("method", number=False)
    if len(tasks) <= _MOST:
        columns = (head, *(Column(f"{task} [%]", higher=True) for task in tasks))
        by_method = ((delta, _by_task(evidence, delta)) for delta in deltas)
        return Panel(
            problem, columns, tuple((Cell(d.title), *(_cell(of.get(t)) for t in tasks)) for d, of in by_method)
        )
    columns = (head, Column("largest share", number=False), Column(f"its gain of {plural(len(tasks), 'task')} [%]"))
    rows = []
    for delta in deltas:
        by_task = _by_task(evidence, delta)
        most = max(by_task, key=lambda task: by_task[task][1])
        rows.append((Cell(delta.title), Cell(most), _cell(by_task[most])))
    return Panel(problem, columns, tuple(rows))


def _cell(found: tuple[float, float] | None) -> Cell:
    if found is None:
        return Cell(NOTHING)
    gain, share = found
    part = f" ({100 * share:.0f} %)" if math.isfinite(share) else ""
    return Cell(number(gain, 1, sign=True) + part, gain)


def _figure(name: str, problem: str, deltas: list[Delta]) -> Figure:
    title = f"Δm on {problem}: bar is the mean, whisker the 95 % interval; colour where the difference is clear"
    alt = "Gain over single-task training: " + gains(deltas, len(deltas), deltas)
    return draw(
        name, title, alt, (WIDTH, 0.9 + 0.27 * len(deltas)), lambda canvas: _paint(canvas, problem, deltas[::-1])
    )


def _paint(canvas: Canvas, problem: str, shown: list[Delta]) -> None:
    axes = canvas.subplots()
    rows = range(len(shown))
    colours = [TONES.get(delta.outcome, UNCLEAR) for delta in shown]
    axes.barh(rows, [delta.mean for delta in shown], height=0.55, color=colours, alpha=0.45, linewidth=0)
    for row, delta, tint in zip(rows, shown, colours, strict=True):
        if delta.interval:
            axes.plot([delta.interval.low, delta.interval.high], [row, row], color=tint, linewidth=1.8)
        axes.plot([delta.mean], [row], "o", color=tint, markersize=4.5)
    axes.axvline(0, color=INK, linewidth=0.9)
    if shown[0].smallest:
        axes.axvspan(-shown[0].smallest, shown[0].smallest, color=QUIET, alpha=0.12, linewidth=0)
    axes.set_yticks(rows, [shortened(delta.title) for delta in shown], color=INK)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.tick_params(length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Δm [%], positive is better than single-task; the band is the smallest effect", color=QUIET)
    axes.set_title(shortened(problem, 60))
