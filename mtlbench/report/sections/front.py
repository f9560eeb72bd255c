"""Problems with a known Pareto front: who reaches it, from how many starts, and along which path."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ...core.objectives import Objectives, objectives_of
from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.frames import groups
from ..writing.figures import INK, QUIET, WIDTH, colour, draw, plain_numbers, shortened
from ..writing.format import short
from ..writing.parts import Cell, Column, Figure, Panel, Part, Statement, Table, file_names, panel_of

REACHED = 0.1  # a gap below it counts as having reached the front
_COLUMNS, _LEVELS, _GRID = 4, 14, 121


def section(evidence: Evidence) -> Part | None:
    """One table for all problems, one figure per two-dimensional problem whose formulas the suite names."""
    facts = _facts(evidence)
    last = _ends(evidence, facts)
    if not last:
        return None
    names = file_names(last, "front")
    figures = (
        _figure(evidence, names[problem], problem, facts, list(last_gaps)) for problem, last_gaps in last.items()
    )
    table = _table(evidence, {problem: last_gaps for problem, last_gaps in last.items() if last_gaps})
    return Part("front", "The Pareto front", tables=(table,), figures=tuple(figure for figure in figures if figure))


def statements(evidence: Evidence) -> list[Statement]:
    """Who reaches the front from every start."""
    return [
        _reached(problem, last_gaps) for problem, last_gaps in _ends(evidence, _facts(evidence)).items() if last_gaps
    ]


def _reached(problem: str, last_gaps: dict[str, pd.Series[Any]]) -> Statement:
    sure = [method for method, gaps in last_gaps.items() if (gaps < REACHED).all()]
    others = [
        f"{method} {(gaps < REACHED).sum()}/{len(gaps)}" for method, gaps in last_gaps.items() if method not in sure
    ]
    text = f"On {problem} {len(sure)} of {plural(len(last_gaps), 'method')} reached the Pareto front from every start"
    points = [f"starts that reached it: {listing(others, 8)}"] if others else []
    points = [f"from every start: {listing(sure, 8)}", *points] if sure and others else points
    return Statement(f"{text}.", points=tuple(points))


def _facts(evidence: Evidence) -> pd.DataFrame:
    facts = evidence.data.records
    return facts[(facts["split"] == "train") & (facts["task"] == "") & ~facts["baseline"] & facts["value"].notna()]


def _ends(evidence: Evidence, facts: pd.DataFrame) -> dict[str, dict[str, pd.Series[Any]]]:
    """The last gap of every seed, by problem and method."""
    ways = groups(facts[facts["metric"] == "gap"], ["problem"])
    return {problem: _last(evidence, problem, gaps) for (problem,), gaps in ways}


def _last(evidence: Evidence, problem: str, gaps: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """{method: the last gap of every seed}, in the order of the plan."""
    last_gaps = {}
    for method in evidence.data.methods(problem):
        of_method = gaps[(gaps["method"] == method) & (gaps["engine"] == evidence.engine(problem, method))]
        if len(of_method):
            last_gaps[method] = of_method.sort_values("step").groupby("seed")["value"].last()
    return last_gaps


def _table(evidence: Evidence, last: dict[str, dict[str, pd.Series[Any]]]) -> Table:
    panels: list[Panel] = []
    raw = []
    for problem, last_gaps in last.items():
        rows = []
        for method, gap in last_gaps.items():
            reached = int((gap < REACHED).sum())
            raw.append((problem, method, reached, len(gap), float(gap.max())))
            share = Cell(f"{reached}/{len(gap)}", reached / len(gap))
            rows.append((Cell(method), share, Cell(short(float(gap.max())), float(gap.max()))))
        columns = (Column("method", number=False), Column("starts that reach it", True), Column("largest gap", False))
        panels.append(panel_of(problem, columns, rows))
    frame = pd.DataFrame(raw, columns=["problem", "method", "reached", "starts", "largest_gap"])
    caption = f"A start reaches the front when its gap after the last epoch is below {REACHED}."
    return Table("front", "Starts that reach the Pareto front", caption, frame, tuple(panels))


def _figure(evidence: Evidence, name: str, problem: str, facts: pd.DataFrame, methods: list[str]) -> Figure | None:
    objectives = _objectives(evidence.data.suite, problem)
    chosen = facts[(facts["problem"] == problem) & facts["metric"].isin(["x1", "x2"])]
    if objectives is None or objectives.pareto_set().shape[1] != 2 or chosen["metric"].nunique() < 2:
        return None
    ways = {}
    for method in methods:
        of_method = chosen[(chosen["method"] == method) & (chosen["engine"] == evidence.engine(problem, method))]
        ways[method] = of_method.pivot_table(index=["seed", "step"], columns="metric", values="value")
    rows = math.ceil(len(ways) / _COLUMNS)
    title = (
        f"Ways over the contours of the mean objective of {problem}; thick: the Pareto set, dots: starts, crosses: ends"
    )
    alt = f"Trajectories of {listing(ways, 8)} from each start, over contours, with the Pareto set"
    size = (WIDTH, 0.5 + 2.5 * rows)
    return draw(name, title, alt, size, lambda canvas: _paint(canvas, objectives, ways, rows))


def _objectives(suite: Any, problem: str) -> Objectives | None:
    """The formulas of a problem, as the resolved suite describes it."""
    places = [suite, *suite.get("methods", {}).values()] if isinstance(suite.get("methods", {}), dict) else [suite]
    for place in places:
        for spec in place.get("problem", ()) if isinstance(place, dict) else ():
            if isinstance(spec, dict) and problem in (spec.get("label"), spec.get("name")):
                return objectives_of(spec)
    return None


def _paint(canvas: Canvas, objectives: Objectives, ways: dict[str, pd.DataFrame], rows: int) -> None:
    columns = min(_COLUMNS, len(ways))
    grid = canvas.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    best = objectives.pareto_set()
    points = np.concatenate([best, *(way[["x1", "x2"]].to_numpy() for way in ways.values())])
    low, high = points.min(0), points.max(0)
    room = 0.06 * (high - low)
    x1, x2 = (np.linspace(low[i] - room[i], high[i] + room[i], _GRID) for i in (0, 1))
    plane = np.stack(np.meshgrid(x1, x2), axis=-1)
    height = sum(objectives.value(t, plane, np) for t in range(len(objectives.lower)))
    for axes, (method, way) in zip(grid.flat, ways.items(), strict=False):
        axes.contour(x1, x2, height, levels=_LEVELS, colors=QUIET, linewidths=0.4, linestyles="solid", alpha=0.6)
        axes.plot(best[:, 0], best[:, 1], color=INK, linewidth=3, solid_capstyle="round")
        _draw_ways(axes, way)
        axes.set_title(shortened(method, 24), fontsize=9)
        axes.grid(False)
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
    for axes in list(grid.flat)[len(ways) :]:
        axes.set_visible(False)
    for axes in list(grid.flat)[max(0, len(ways) - columns) : len(ways)]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("x1", color=QUIET)
    for axes in grid[:, 0]:
        axes.set_ylabel("x2", color=QUIET)


def _draw_ways(axes: Axes, way: pd.DataFrame) -> None:
    for i, (_, steps) in enumerate(way.groupby(level="seed")):
        x1, x2 = steps["x1"], steps["x2"]
        axes.plot(x1, x2, color=colour(i), linewidth=1.2)
        axes.plot(x1.iloc[:1], x2.iloc[:1], "o", color=colour(i), markersize=4)
        axes.plot(x1.iloc[-1:], x2.iloc[-1:], "x", color=colour(i), markersize=6)
