"""Task weights over the epochs: what each weighting did."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from ...core.wording import listing
from ..evidence.evidence import Evidence
from ..evidence.frames import Task
from ..writing.figures import QUIET, SERIES, WIDTH, colour, dash, draw, plain_numbers, shortened
from ..writing.parts import Figure, Part, Statement, file_names

_COLUMNS = 4
_MOST = 12  # most small plots in a figure


def section(evidence: Evidence) -> Part | None:
    """One figure per problem, one small plot for each method whose weights change; the others are named."""
    facts = evidence.data.records
    facts = facts[(facts["metric"] == "weight") & ~facts["baseline"] & facts["value"].notna()]
    statements, moving = [], {}
    for problem in evidence.data.problems:
        means = _means(evidence, problem, facts)
        still = [method for method, table in means.items() if _constant(table)]
        if still:
            statements.append(Statement(f"On {problem} the weights stayed as they were: {listing(still, 10)}."))
        moving[problem] = {method: table for method, table in means.items() if method not in still}
    moving = {problem: tables for problem, tables in moving.items() if tables}
    for problem, tables in moving.items():
        if len(tables) > _MOST:
            statements.append(Statement(f"On {problem} the {_MOST} best of {len(tables)} methods by Δm are drawn."))
            moving[problem] = dict(list(tables.items())[:_MOST])
    names = file_names(moving, "weights")
    figures = tuple(_figure(evidence, names[p], p, tables) for p, tables in moving.items())
    return Part("weights", "Task weights", tuple(statements), figures=figures) if figures or statements else None


def _means(evidence: Evidence, problem: str, facts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Mean weight over seeds, one row per epoch, one column per task."""
    tables = {}
    for delta in sorted(evidence.of(problem), key=lambda d: -d.mean if d.relative else math.inf):
        chosen = (facts["problem"] == problem) & (facts["method"] == delta.method) & (facts["engine"] == delta.engine)
        table = facts[chosen].groupby(["step", "task"])["value"].mean().unstack("task")
        if len(table):
            tables[delta.method] = table
    return tables


def _constant(table: pd.DataFrame) -> bool:
    return bool(((table.max() - table.min()) <= 1e-6 * table.abs().max()).all())


def _figure(evidence: Evidence, name: str, problem: str, tables: dict[str, pd.DataFrame]) -> Figure:
    tasks = evidence.data.tasks(problem)
    rows = math.ceil(len(tables) / _COLUMNS)
    title = f"λ by epoch on {problem}, mean over seeds"
    alt = f"Task weights by epoch of {listing(tables, 8)}"
    return draw(name, title, alt, (WIDTH, 0.7 + 1.6 * rows), lambda canvas: _paint(canvas, tasks, tables, rows))


def _paint(canvas: Canvas, tasks: tuple[Task, ...], tables: dict[str, pd.DataFrame], rows: int) -> None:
    columns = min(_COLUMNS, len(tables))
    grid = canvas.subplots(rows, columns, squeeze=False, sharex=True)
    for axes, (method, table) in zip(grid.flat, tables.items(), strict=False):
        _lines(axes, tasks, table)
        axes.set_title(shortened(method, 24), fontsize=9)
    for axes in list(grid.flat)[len(tables) :]:
        axes.set_visible(False)
    for axes in list(grid.flat)[max(0, len(tables) - columns) : len(tables)]:
        axes.set_xlabel("epoch", color=QUIET)
        axes.tick_params(labelbottom=True)
    handles = {line.get_label(): line for axes in grid.flat for line in axes.lines}
    if 0 < len(handles) <= 2 * len(SERIES):
        canvas.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=min(6, len(handles)), fontsize=8
        )


def _lines(axes: Axes, tasks: tuple[Task, ...], table: pd.DataFrame) -> None:
    for i, task in enumerate(tasks):
        if task.name in table:
            column = table[task.name].dropna()
            dot = "o" if len(column) == 1 else ""
            axes.plot(
                column.index, column, color=colour(i), linestyle=dash(i), marker=dot, label=shortened(task.name, 20)
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    plain_numbers(axes.yaxis)
