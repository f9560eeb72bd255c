"""The main metric over the rows of all tasks together, if they share one metric and one unit."""

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
    """One panel per problem whose tasks can be pooled, one row per method; all engines are in the CSV file."""
    by_problem = {problem: lines for problem in evidence.data.problems if (lines := _of(evidence.data, problem))}
    if not by_problem:
        return None
    raw = pd.DataFrame([head for lines in by_problem.values() for head, _ in lines])
    panels = tuple(_panel(evidence, problem, lines) for problem, lines in by_problem.items())
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
    lines = []
    for method in data.methods(problem):
        for engine in data.engines_of(problem, method):
            values = _pooled(data.scores(problem, method, engine), counts, power)
            if len(values):
                head = _head(tasks[0], problem, method, engine)
                lines.append((head | summary(values, reference, method == single), values))
    return lines


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
    """Labels that each task is tested on: one row per seed, one column per task."""
    facts = data.records[(data.records["metric"] == "test_rows") & (data.records["problem"] == problem)]
    return facts.groupby(["seed", "task"])["value"].max().unstack("task")


def _pooled(scores: pd.DataFrame, counts: pd.DataFrame, power: int) -> pd.Series:
    """The power mean over tasks, weighted by rows, of every seed that has all of them."""
    weights = counts.reindex(index=scores.dropna().index, columns=scores.columns).dropna()
    powers = scores.loc[weights.index] ** power * weights
    return (powers.sum(axis=1) / weights.sum(axis=1)) ** (1 / power)


def _panel(evidence: Evidence, problem: str, lines: list[tuple[dict[str, object], pd.Series]]) -> Panel:
    heads = rows(pd.DataFrame([head for head, _ in lines]))
    values = [series for _, series in lines]
    by_method = {
        head.method: (head, series)
        for head, series in zip(heads, values, strict=True)
        if head.engine == evidence.engine(problem, head.method)
    }
    methods = [method for method in evidence.order(problem) if method in by_method]
    task = evidence.data.tasks(problem)[0]
    columns = [Column("method", number=False), Column(titled(task.metric, task.unit), task.higher), Column("seeds")]
    cells = cells_of([by_method[method] for method in methods])
    seeds = [Cell(str(by_method[method][0].seeds), by_method[method][0].seeds) for method in methods]
    return panel_of(problem, columns, [[Cell(m), c, n] for m, c, n in zip(methods, cells, seeds, strict=True)])
