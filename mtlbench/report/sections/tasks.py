"""Every task and metric: means over seeds, and the paired difference to single-task training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ...core.wording import plural
from ..evidence.evidence import Evidence
from ..evidence.frames import ReportData, Task, direction, groups, rows, titled
from ..evidence.shaped import stacked
from ..evidence.statistics import Interval, mean_interval
from ..writing.format import bracket, decimals_for, plus_minus
from ..writing.parts import Cell, Column, Panel, Part, Table, marked, panel_of

_COLUMNS = [
    "problem",
    "task",
    "metric",
    "unit",
    "higher_is_better",
    "main",
    "method",
    "engine",
    "baseline",
    "seeds",
    "mean",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "paired_seeds",
]
_KEYS = ["problem", "task", "metric", "method", "engine"]
Summary = tuple[Any, pd.Series]  # a row of the raw table, and its values by seed
Cells = dict[tuple[str, ...], Summary]  # by problem, task, metric, method
_READ = 40  # most tasks of a panel that is not folded away
_WIDE = 8  # most columns of numbers in a panel that is not turned round


def section(evidence: Evidence) -> Part | None:
    """Main metrics in one panel per problem; below, folded: problems of many tasks, and each task's other metrics."""
    series = _series(evidence.data)
    raw = _raw(evidence.data, series)
    if raw.empty:
        return None
    shown = raw[[evidence.engine(row.problem, row.method) == row.engine for row in rows(raw)]]
    cells: Cells = {
        (r.problem, r.task, r.metric, r.method): (r, series[r.problem, r.task, r.metric, r.method, r.engine])
        for r in rows(shown)
    }
    panels = {problem: _main(evidence, problem, cells) for problem in evidence.data.problems}
    large = [problem for problem in panels if len(evidence.data.tasks(problem)) > _READ]
    others = [
        panel
        for problem in evidence.data.problems
        for task in evidence.data.tasks(problem)
        if (panel := _others(evidence, problem, task, shown, cells))
    ]
    fewest, most = int(raw["seeds"].min()), int(raw["seeds"].max())
    over = plural(most, "seed") if fewest == most else f"{fewest}–{most} seeds"
    caption = (
        f"Test metrics, mean ± 95 % interval over {over} (Student's t); "
        "below each, the difference to single-task training, paired by seed, in the metric's unit, with its 95 % "
        "interval. Arrows point to better; bold is best; ≈ marks what differs from the best, paired by seed, by an "
        "interval that holds zero. Floor and strong baselines, last, are not marked. "
        "Engines differ in speed alone, so one is shown; all are in the CSV file."
    )
    shown_at_once = tuple(panel for problem, panel in panels.items() if problem not in large)
    folded = (*(panels[problem] for problem in large), *others)
    more = f"Problems of more than {_READ} tasks, and other metrics" if large else "Other metrics"
    return Part("tasks", "Tasks", tables=(Table("tasks", "Tasks", caption, raw, shown_at_once, folded, more),))


def _facts(data: ReportData) -> pd.DataFrame:
    parts = (data.records, data.reference_records)
    return stacked([facts[(facts["split"] == "test") & (facts["task"] != "")] for facts in parts])


def _series(data: ReportData) -> dict[tuple[str, ...], pd.Series]:
    """Test values by seed, of every problem, task, metric, method and engine."""
    return {key: group.groupby("seed")["value"].mean().dropna() for key, group in groups(_facts(data), _KEYS)}


def _raw(data: ReportData, series: Mapping[tuple[str, ...], pd.Series]) -> pd.DataFrame:
    heads = _facts(data).drop_duplicates(_KEYS)
    lines = []
    for head in rows(heads):
        values = series[tuple(getattr(head, key) for key in _KEYS)]
        single = _single(data, head, series)
        lines.append({**_head(head), **summary(values, single, head.method == data.baseline(head.problem))})
    return pd.DataFrame(lines, columns=_COLUMNS)


def _head(head: Any) -> dict[str, object]:
    names = ["problem", "task", "metric", "unit", "main", "method", "engine"]
    higher = direction(head.metric, head.higher_is_better)
    return {**{name: getattr(head, name) for name in names}, "higher_is_better": higher}


def _single(data: ReportData, head: Any, series: Mapping[tuple[str, ...], pd.Series]) -> pd.Series | None:
    """The single-task values beside a row: of the same engine, or else of the first that has any."""
    problem, task, metric, engine = (getattr(head, name) for name in ("problem", "task", "metric", "engine"))
    keys = ((problem, task, metric, data.baseline(problem), name) for name in (engine, *data.engines))
    return next((series[key] for key in keys if key in series and len(series[key])), None)


def summary(values: pd.Series, single: pd.Series | None, baseline: bool) -> dict[str, object]:
    """Mean over seeds and paired difference to single-task values, with their intervals."""
    interval = mean_interval(values.to_numpy())
    paired = (values - single).dropna() if single is not None and not baseline else values.iloc[:0]
    gap = mean_interval(paired.to_numpy())
    return {
        "baseline": baseline,
        "seeds": len(values),
        "mean": float(values.mean()),
        "low": interval.low if interval else math.nan,
        "high": interval.high if interval else math.nan,
        "difference": float(paired.mean()),
        "difference_low": gap.low if gap else math.nan,
        "difference_high": gap.high if gap else math.nan,
        "paired_seeds": len(paired),
    }


def _interval(low: float, high: float) -> Interval | None:
    return Interval(low, high) if math.isfinite(low) else None


def cells_of(summaries: list[Summary | None]) -> list[Cell]:
    """One metric of several methods, with decimals in common."""
    means = [each[0] for each in summaries if each is not None]
    halves = ((row.high - row.low) / 2 for row in means)
    decimals = decimals_for(halves, (row.mean for row in means))
    return [Cell("–") if each is None else _cell(*each, decimals) for each in summaries]


def _cell(row: Any, values: pd.Series, decimals: int) -> Cell:
    mean, low, high, difference, below, above = (
        float(getattr(row, name)) for name in ("mean", "low", "high", "difference", "difference_low", "difference_high")
    )
    interval = _interval(low, high)
    detail = bracket(difference, _interval(below, above), decimals) if math.isfinite(difference) else ""
    by_seed = {int(seed): float(value) for seed, value in zip(values.index, values, strict=True)}
    return Cell(plus_minus(mean, interval, decimals), mean, interval, detail, by_seed=by_seed)


def _names(evidence: Evidence, problem: str) -> dict[str, str]:
    """What stands in the rows of a problem, and what it is called there: the methods, then the references."""
    beside = {reference.name: reference.title for reference in evidence.beside(problem)}
    return {**{method: method for method in evidence.order(problem)}, **beside}


def _column(evidence: Evidence, problem: str, task: str, metric: str, cells: Cells) -> list[Cell]:
    """One metric of everything in the rows of a problem; references have no number that is marked."""
    names = _names(evidence, problem)
    column = cells_of([cells.get((problem, task, metric, name)) for name in names])
    methods = len(names) - len(evidence.beside(problem))
    return [*column[:methods], *(Cell(cell.text, detail=cell.detail) for cell in column[methods:])]


def _main(evidence: Evidence, problem: str, cells: Cells) -> Panel:
    names, tasks = _names(evidence, problem), evidence.data.tasks(problem)
    columns = [_column(evidence, problem, task.name, task.metric, cells) for task in tasks]
    if len(tasks) <= _WIDE or len(names) > len(tasks):
        heads = (Column("method", number=False), *(Column(task.title, task.higher) for task in tasks))
        grid = [[Cell(title), *(column[i] for column in columns)] for i, title in enumerate(names.values())]
        return panel_of(problem, heads, grid)
    heads = (Column("task", number=False), *(Column(title) for title in names.values()))
    turned = (
        (Cell(Column(task.title, task.higher).label), *marked(column, task.higher))
        for task, column in zip(tasks, columns, strict=True)
    )
    return Panel(problem, heads, tuple(turned))


def _others(evidence: Evidence, problem: str, task: Task, shown: pd.DataFrame, cells: Cells) -> Panel | None:
    """The metrics of one task other than its main one, the loss among them."""
    chosen = shown[(shown["problem"] == problem) & (shown["task"] == task.name) & (shown["metric"] != task.metric)]
    metrics = chosen.drop_duplicates("metric")
    if metrics.empty:
        return None
    heads = [Column("method", number=False)]
    columns = []
    for row in rows(metrics):
        heads.append(Column(titled(row.metric, row.unit), row.higher_is_better))
        columns.append(_column(evidence, problem, task.name, row.metric, cells))
    titles = _names(evidence, problem).values()
    grid = [[Cell(title), *(column[i] for column in columns)] for i, title in enumerate(titles)]
    return panel_of(f"{problem}: {task.name}", heads, grid)
