"""Training curves: means over seeds with 95 % bands."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from ...core.power import FEWEST
from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.frames import Task, groups, rows, titled
from ..evidence.statistics import critical
from ..writing.figures import INK, QUIET, WIDTH, colour, draw, plain_numbers, shortened, spread_ratio
from ..writing.parts import Figure, Part, file_names

_NAMED = 6  # methods drawn in colour, the best by Delta m; the others stay grey
_TASKS = 6  # rows of the figure
_WAY = ["problem", "method", "engine"]


def section(evidence: Evidence) -> Part | None:
    """One figure per problem: training loss and validation metric, one row per task."""
    facts = evidence.data.records
    facts = facts[facts["split"].isin(["train", "validation"]) & (facts["task"] != "") & facts["value"].notna()]
    ways = rows(facts[_WAY].drop_duplicates())
    shown = [(r.problem, r.method, r.engine) for r in ways if evidence.engine(r.problem, r.method) == r.engine]
    of_engine = facts[pd.MultiIndex.from_frame(facts[_WAY]).isin(shown)]
    curves = {problem: group for (problem,), group in groups(of_engine, ["problem"])}
    names = file_names(curves, "curves")
    drawn = (_figure(evidence, names[problem], problem, group) for problem, group in curves.items())
    figures = tuple(figure for figure in drawn if figure)
    return Part("curves", "Training curves", figures=figures) if figures else None


def _figure(evidence: Evidence, name: str, problem: str, facts: pd.DataFrame) -> Figure | None:
    tasks = evidence.data.tasks(problem)[:_TASKS]
    grids = [[_curves(facts, "train", task.name, "loss"), _validation(facts, task)] for task in tasks]
    if not any(len(curve) for row in grids for curve in row):
        return None
    compared = sorted((d for d in evidence.of(problem) if d.relative), key=lambda d: -d.mean)
    best = [delta.method for delta in compared[:_NAMED]]
    left = len(evidence.data.tasks(problem)) - len(tasks)
    title = f"Curves on {problem}: mean over seeds as far as all of them trained, band is the 95 % interval"
    title += f"; {left} more tasks not shown" if left else ""
    title += f"; in colour the best {len(best)} by Δm" if len(compared) > _NAMED else ""
    cut = {c.method for c in evidence.convergences if c.problem == problem and c.undertrained().telling}
    cut &= set(facts["method"])
    title += "; × where a cap ended undertrained trials" if cut else ""
    alt = f"Training loss and validation metric by epoch for {listing((t.name for t in tasks), 8)}, "
    alt += f"of {plural(len(compared), 'method')} and the single-task baseline"
    single = evidence.data.baseline(problem)
    size = (WIDTH, 0.7 + 1.9 * len(tasks))
    return draw(name, title, alt, size, lambda canvas: _paint(canvas, tasks, grids, best, single, cut))


def _validation(facts: pd.DataFrame, task: Task) -> pd.DataFrame:
    return _curves(facts, "validation", task.name, task.metric)


def _curves(facts: pd.DataFrame, split: str, task: str, metric: str) -> pd.DataFrame:
    """Mean and half-width of the band by method and epoch, over the epochs that every seed of a method reached."""
    chosen = facts[(facts["split"] == split) & (facts["task"] == task) & (facts["metric"] == metric)]
    table = chosen.groupby(["method", "step"], sort=False)["value"].agg(["mean", "std", "count"]).reset_index()
    full = table.groupby("method")["count"].transform("max")
    table = table[table["count"] == full].sort_values("step")
    factors = [critical(n) / math.sqrt(n) if n >= FEWEST else math.nan for n in map(int, table["count"])]
    return table.assign(half=table["std"] * factors)


def _paint(
    canvas: Canvas,
    tasks: tuple[Task, ...],
    grids: list[list[pd.DataFrame]],
    best: list[str],
    single: str,
    cut: Collection[str],
) -> None:
    grid = canvas.subplots(len(tasks), 2, squeeze=False, sharex=True)
    for row, task, curves in zip(grid, tasks, grids, strict=True):
        for axes, curve, what in zip(row, curves, ("training loss", titled(task.metric, task.unit)), strict=True):
            _lines(axes, curve, best, single, cut)
            axes.set_title(shortened(f"{task.name}: {what}", 44), fontsize=9)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            plain_numbers(axes.yaxis)
        positive = curves[0]["mean"].gt(0).all() and len(curves[0])
        if positive and spread_ratio(curves[0]["mean"].tolist()) > 20:
            row[0].set_yscale("log")
            plain_numbers(row[0].yaxis)
    for axes in grid[-1]:
        axes.set_xlabel("epoch", color=QUIET)
    lines = {line.get_label(): line for axes in grid.flat for line in axes.lines}
    named = {name: lines[name] for name in map(shortened, [single, *best]) if name in lines}
    if named:
        canvas.legend(named.values(), named.keys(), loc="outside lower center", ncols=min(4, len(named)), fontsize=8)


def _lines(axes: Axes, curves: pd.DataFrame, best: list[str], single: str, cut: Collection[str]) -> None:
    for method, curve in curves.groupby("method", sort=False):
        tint, label, front = QUIET, "_", 1
        if method == single:
            tint, label, front = INK, shortened(str(method)), 4
        elif method in best:
            tint, label, front = colour(best.index(str(method))), shortened(str(method)), 3
        weight = 1.5 if front > 1 else 0.6
        style: Any = (0, (3, 1.5)) if method == single else "-"
        axes.plot(
            curve["step"], curve["mean"], color=tint, label=label, linestyle=style, linewidth=weight, zorder=front,
            alpha=1 if front > 1 else 0.4, marker="o" if len(curve) == 1 else None,
        )  # fmt: skip
        if method in cut:
            axes.plot(curve["step"].iloc[-1:], curve["mean"].iloc[-1:], "x", color=tint, label="_", zorder=front)
        if front > 1 and curve["half"].notna().any():
            low, high = curve["mean"] - curve["half"], curve["mean"] + curve["half"]
            axes.fill_between(curve["step"], low, high, color=tint, alpha=0.1, linewidth=0, zorder=front - 1)
