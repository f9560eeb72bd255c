"""Every method against every other: paired differences of Delta m with corrected tests."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from ...core.power import can_be_significant
from ..evidence.deltas import Delta
from ..evidence.evidence import Evidence
from ..evidence.frames import ReportData, rows
from ..evidence.statistics import Interval, holm, mean_interval, p_of, relative
from ..writing.figures import BAD, GOOD, INK, draw, shortened
from ..writing.format import NOTHING, bracket, decimals_for, number, p_value
from ..writing.parts import Cell, Column, Figure, Panel, Part, Table, file_names

_CAPTION = (
    "Difference of Δm between two methods, first minus second, in percentage points, with its 95 % interval; seeds are "
    "paired. p: exact sign-flip test (with corrected intervals the corrected resampled t test), Holm-corrected over "
    "all pairs of the problem; – where these seeds are too few for any pair to reach 0.05."
)
_COLUMNS = [
    "problem",
    "engine",
    "method_a",
    "method_b",
    "seeds",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "can_be_significant",
]
_NUMBERED = 16  # methods up to which the figure carries numbers


def section(evidence: Evidence) -> Part | None:
    """One heat map per problem, and all pairs in a table folded below."""
    pairs = {problem: _pairs(evidence.data, evidence.of(problem)) for problem in evidence.data.problems}
    pairs = {problem: frame for problem, frame in pairs.items() if len(frame)}
    if not pairs:
        return None
    mapped = [problem for problem, frame in pairs.items() if len(frame) > 1]
    names = file_names(mapped, "pairwise")
    figures = tuple(
        _figure(names[problem], problem, [d.method for d in _ordered(evidence.of(problem))], pairs[problem])
        for problem in mapped
    )
    panels = {problem: _panel(problem, frame) for problem, frame in pairs.items()}
    single = tuple(panel for problem, panel in panels.items() if problem not in mapped)
    folded = tuple(panels[problem] for problem in mapped)
    raw = pd.concat(pairs.values(), ignore_index=True)
    table = Table("pairwise", "All pairs of methods", _CAPTION, raw, single, folded, "All pairs")
    return Part("pairwise", "Method against method", tables=(table,), figures=figures)


def _ordered(deltas: tuple[Delta, ...]) -> list[Delta]:
    return sorted((delta for delta in deltas if delta.relative), key=lambda delta: -delta.mean)


def _pairs(data: ReportData, deltas: tuple[Delta, ...]) -> pd.DataFrame:
    pairs = [row for one, other in combinations(_ordered(deltas), 2) if (row := _pair(data, one, other))]
    frame = pd.DataFrame(pairs, columns=_COLUMNS)
    frame["p_holm"] = holm(frame["p"].to_numpy(dtype=np.float64))
    overlap = max((delta.overlap for delta in deltas), default=0.0)
    frame["can_be_significant"] = [
        can_be_significant(int(n), len(pairs), corrected=overlap > 0) for n in frame["seeds"]
    ]
    return frame


def _pair(data: ReportData, one: Delta, other: Delta) -> dict[str, object] | None:
    """On the seeds that both methods and the baseline have; None for methods of different tasks."""
    tasks = data.targets(one.problem, one.method)
    if one.tasks != other.tasks:
        return None
    names = [task.name for task in tasks]
    seeds = [seed for seed in one.seeds if seed in set(other.seeds)]
    single = data.baseline_scores(one.problem, one.engine)[names].reindex(seeds).dropna()
    higher = np.array([task.higher for task in tasks])
    first, second = (
        relative(
            data.scores(d.problem, d.method, d.engine).loc[single.index, names].to_numpy(), single.to_numpy(), higher
        )
        for d in (one, other)
    )
    if first is None or second is None:
        return None
    differences = first.influence - second.influence
    interval = mean_interval(differences, overlap=one.overlap)
    return {
        "problem": one.problem,
        "engine": one.engine,
        "method_a": one.method,
        "method_b": other.method,
        "seeds": len(single),
        "difference": first.mean - second.mean,
        "low": interval.low if interval else math.nan,
        "high": interval.high if interval else math.nan,
        "p": p_of(differences, first.differences - second.differences, one.overlap),
    }


def _interval(row: Any) -> Interval | None:
    return Interval(row.low, row.high) if math.isfinite(row.low) else None


def _panel(problem: str, frame: pd.DataFrame) -> Panel:
    columns = (
        Column("first", number=False),
        Column("second", number=False),
        Column("difference of Δm [%]"),
        Column("seeds"),
        Column("p (Holm)"),
    )
    decimals = decimals_for((frame["high"] - frame["low"]) / 2, frame["difference"], most=2)
    lines = []
    for row in rows(frame):
        star = "*" if row.can_be_significant and row.p_holm <= 0.05 else ""
        text = bracket(row.difference, _interval(row), decimals) + star
        p = Cell(p_value(row.p_holm), row.p_holm) if row.can_be_significant else Cell(NOTHING)
        lines.append(
            (Cell(row.method_a), Cell(row.method_b), Cell(text, row.difference), Cell(str(row.seeds), row.seeds), p)
        )
    return Panel(problem, columns, tuple(lines))


def _figure(name: str, problem: str, methods: list[str], frame: pd.DataFrame) -> Figure:
    place = {method: i for i, method in enumerate(methods)}
    differences = np.full((len(methods), len(methods)), np.nan)
    clear = np.zeros_like(differences, dtype=bool)
    for row in rows(frame):
        i, j = place[row.method_a], place[row.method_b]
        differences[i, j], differences[j, i] = row.difference, -row.difference
        interval = _interval(row)
        clear[i, j] = clear[j, i] = interval is not None and not interval.contains(0)
    title = f"Row minus column, difference of Δm on {problem}; pale where no 95 % interval leaves out zero"
    title += "" if len(methods) <= _NUMBERED else "; numbers are in the table"
    alt = f"Matrix of paired differences between {len(methods)} methods, best first: {', '.join(methods)}"
    size = 1.6 + len(methods) * (0.52 if len(methods) <= _NUMBERED else 0.24)
    return draw(
        name, title, alt, (size + 0.6, size), lambda canvas: _paint(canvas, problem, methods, differences, clear)
    )


def _paint(canvas: Canvas, problem: str, methods: list[str], differences: np.ndarray, clear: np.ndarray) -> None:
    axes = canvas.subplots()
    measured = np.argwhere(np.isfinite(differences))
    most = float(np.nanmax(np.abs(differences))) or 1.0
    tiles = [Rectangle((j - 0.48, i - 0.48), 0.96, 0.96) for i, j in measured]
    axes.add_collection(
        PatchCollection(
            tiles, linewidth=0, facecolor=[_tint(differences[i, j] / most, clear[i, j]) for i, j in measured]
        )
    )
    axes.set(xlim=(-0.5, len(methods) - 0.5), ylim=(len(methods) - 0.5, -0.5), aspect="equal")
    names = [shortened(method, 20) for method in methods]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="left", rotation_mode="anchor", color=INK)
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    if len(methods) <= _NUMBERED:
        decimals = decimals_for((), np.abs(differences[np.isfinite(differences)]).tolist(), most=1)
        for i, j in measured:
            text = number(float(differences[i, j]), max(1, decimals), sign=True)
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color=INK)
    axes.set_title(shortened(problem, 60), pad=10)


def _tint(share: float, clear: bool) -> tuple[float, float, float, float]:
    """Green or red, stronger for larger differences and faint for unclear ones."""
    return to_rgba(GOOD if share > 0 else BAD, (0.25 + 0.6 * abs(share)) if clear else 0.1)
