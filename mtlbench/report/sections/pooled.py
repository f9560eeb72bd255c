"""The main metric over the rows of all tasks together, where they have one metric and one unit."""

from __future__ import annotations

import pandas as pd

from ...core.metrics import TABLE, MetricError, metric
from ..evidence.evidence import Evidence
from ..evidence.frames import ReportData, Task, rows, titled
from ..writing.parts import Cell, Column, Panel, Part, Table, panel_of
from .tasks import cells_of, summary

_CAPTION = (
    "The main test metric over the test rows of all tasks together, so that a task counts by its rows; the tasks share "
    "metric and unit. Mean ± 95 % interval over seeds (Student's t); below, the difference to single-task training, "
    "paired by seed, with its 95 % interval. Bold is best; ≈ marks what differs from the best, paired by seed, by an "
    "interval that holds zero."
)


def section(evidence: Evidence) -> Part | None:
    """One panel a problem whose tasks can be pooled, one row a method; all engines are in the CSV file."""
    found = {problem: kept for problem in evidence.data.problems if (kept := _of(evidence.data, problem))}
    if not found:
        return None
    raw = pd.DataFrame([head for kept in found.values() for head, _ in kept])
    panels = tuple(_panel(evidence, problem, kept) for problem, kept in found.items())
    return Part("pooled", "All rows together", tables=(Table("pooled", "All rows together", _CAPTION, raw, panels),))


def _of(data: ReportData, problem: str) -> list[tuple[dict[str, object], pd.Series]]:
    """A row of the raw table and its values by seed, of every method and engine; none where tasks cannot be pooled."""
    tasks, counts = data.tasks(problem), _test_rows(data, problem)
    kinds = {(task.metric, task.unit) for task in tasks}
    power = _power(tasks[0].metric) if len(kinds) == 1 else 0
    if len(tasks) < 2 or not power or not tasks[0].unit:  # without a unit, values may be of different kinds
        return []
    single = data.baseline(problem)
    reference = _pooled(data.baseline_scores(problem, data.engines[0]), counts, power)
    found = []
    for method in data.methods(problem):
        for engine in data.engines_of(problem, method):
            values = _pooled(data.scores(problem, method, engine), counts, power)
            if len(values):
                head = _head(tasks[0], problem, method, engine)
                found.append((head | summary(values, reference, method == single), values))
    return found


def _power(name: str) -> int:
    """How a metric's parts combine; 0 where the table here has it not, though the run had: reports need no code."""
    try:
        return metric(name).power if name in TABLE else 0
    except MetricError:
        return 0


def _head(task: Task, problem: str, method: str, engine: str) -> dict[str, object]:
    names = {"problem": problem, "metric": task.metric, "unit": task.unit, "higher_is_better": task.higher}
    return {**names, "method": method, "engine": engine}


def _test_rows(data: ReportData, problem: str) -> pd.DataFrame:
    """Labels that each task is tested on: one row a seed, one column a task."""
    facts = data.records[(data.records["metric"] == "test_rows") & (data.records["problem"] == problem)]
    return facts.groupby(["seed", "task"])["value"].max().unstack("task")


def _pooled(scores: pd.DataFrame, counts: pd.DataFrame, power: int) -> pd.Series:
    """The power mean over tasks, weighted by rows, of every seed that has all of them."""
    weights = counts.reindex(index=scores.dropna().index, columns=scores.columns).dropna()
    powers = scores.loc[weights.index] ** power * weights
    return (powers.sum(axis=1) / weights.sum(axis=1)) ** (1 / power)


def _panel(evidence: Evidence, problem: str, kept: list[tuple[dict[str, object], pd.Series]]) -> Panel:
    heads = rows(pd.DataFrame([head for head, _ in kept]))
    values = [series for _, series in kept]
    found = {
        head.method: (head, series)
        for head, series in zip(heads, values, strict=True)
        if head.engine == evidence.engine(problem, head.method)
    }
    methods = [method for method in evidence.order(problem) if method in found]
    task = evidence.data.tasks(problem)[0]
    columns = [Column("method", number=False), Column(titled(task.metric, task.unit), task.higher), Column("seeds")]
    cells = cells_of([found[method] for method in methods])
    seeds = [Cell(str(found[method][0].seeds), found[method][0].seeds) for method in methods]
    return panel_of(problem, columns, [[Cell(m), c, n] for m, c, n in zip(methods, cells, seeds, strict=True)])
