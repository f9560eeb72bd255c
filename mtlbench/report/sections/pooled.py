"""The main metric over the rows of all tasks together, if they share one metric and one unit."""

from __future__ import annotations

from collections.abc import Callable

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
_EXPLAINED = (
    " Explained variance: 1 − Σ (label − prediction)² / Σ (label − mean of all labels)² over these rows. It is what "
    "papers on School report (Bakker and Heskes, JMLR 2003; Evgeniou and Pontil, KDD 2004); others take the variance "
    "within each task, which gives less."
)
EXPLAINED = "explained variance"
Line = tuple[dict[str, object], pd.Series]  # a row of the raw table, and its values by seed


def section(evidence: Evidence) -> Part | None:
    """One panel per problem whose tasks can be pooled, one row per method; all engines are in the CSV file."""
    by_problem = {problem: lines for problem in evidence.data.problems if (lines := _of(evidence.data, problem))}
    if not by_problem:
        return None
    raw = pd.DataFrame([head for lines in by_problem.values() for head, _ in lines])
    panels = tuple(_panel(evidence, problem, lines) for problem, lines in by_problem.items())
    caption = _CAPTION + (_EXPLAINED if (raw["metric"] == EXPLAINED).any() else "")
    return Part("pooled", "All rows together", tables=(Table("pooled", "All rows together", caption, raw, panels),))


def _of(data: ReportData, problem: str) -> list[Line]:
    """A row of the raw table and its values by seed, of every method, engine and metric; none where tasks cannot be
    pooled.
    """
    tasks, counts = data.tasks(problem), _of_labels(data, problem, "test_rows")
    kinds = {(task.metric, task.unit) for task in tasks}
    power = _power(tasks[0].metric) if len(kinds) == 1 else 0
    if len(tasks) < 2 or not power or not tasks[0].unit:  # without a unit, values may be of different kinds
        return []
    lines = _lines(data, problem, tasks[0], lambda scores: _pooled(scores, counts, power))
    if tasks[0].metric == "rmse" and len(variance := _variance(data, problem, counts)):
        explained = Task("", EXPLAINED, "%", True)
        lines += _lines(data, problem, explained, lambda scores: _explained(_pooled(scores, counts, power), variance))
    return lines


def _lines(data: ReportData, problem: str, task: Task, pool: Callable[[pd.DataFrame], pd.Series]) -> list[Line]:
    """One pooled metric of every method and engine."""
    single = data.baseline(problem)
    reference = pool(data.baseline_scores(problem, data.engines[0]))
    lines = []
    for method in data.methods(problem):
        for engine in data.engines_of(problem, method):
            values = pool(data.scores(problem, method, engine))
            if len(values):
                head = _head(task, problem, method, engine)
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


def _of_labels(data: ReportData, problem: str, metric: str) -> pd.DataFrame:
    """What is known of the labels that each task is tested on: one row per seed, one column per task."""
    facts = data.records[(data.records["metric"] == metric) & (data.records["problem"] == problem)]
    return facts.groupby(["seed", "task"])["value"].max().unstack("task")


def _variance(data: ReportData, problem: str, counts: pd.DataFrame) -> pd.Series:
    """The variance of the test labels of all tasks about their common mean, by seed; runs of old did not record it."""
    tasks = [task.name for task in data.tasks(problem)]
    mean, within = (_of_labels(data, problem, name).reindex(columns=tasks) for name in ("test_mean", "test_variance"))
    rows_of = counts.reindex(index=mean.dropna().index, columns=tasks).dropna()
    mean, within, total = mean.loc[rows_of.index], within.loc[rows_of.index], rows_of.sum(axis=1)
    centre = (mean * rows_of).sum(axis=1) / total
    between = mean.sub(centre, axis=0) ** 2
    return ((within + between) * rows_of).sum(axis=1) / total


def _explained(rmse: pd.Series, variance: pd.Series) -> pd.Series:
    """100 (1 - MSE / variance) of the seeds whose labels vary."""
    return (100 * (1 - rmse**2 / variance[variance > 0])).dropna()


def _pooled(scores: pd.DataFrame, counts: pd.DataFrame, power: int) -> pd.Series:
    """The power mean over tasks, weighted by rows, of every seed that has all of them."""
    weights = counts.reindex(index=scores.dropna().index, columns=scores.columns).dropna()
    powers = scores.loc[weights.index] ** power * weights
    return (powers.sum(axis=1) / weights.sum(axis=1)) ** (1 / power)


def _panel(evidence: Evidence, problem: str, lines: list[Line]) -> Panel:
    heads = rows(pd.DataFrame([head for head, _ in lines]))
    values = [series for _, series in lines]
    by_key = {
        (head.metric, head.method): (head, series)
        for head, series in zip(heads, values, strict=True)
        if head.engine == evidence.engine(problem, head.method)
    }
    task = evidence.data.tasks(problem)[0]
    methods = [method for method in evidence.order(problem) if (task.metric, method) in by_key]
    columns = [Column("method", number=False), Column(titled(task.metric, task.unit), task.higher)]
    shown = [cells_of([by_key[task.metric, method] for method in methods])]
    if any(metric == EXPLAINED for metric, _ in by_key):
        columns.append(Column(titled(EXPLAINED, "%"), higher=True))
        shown.append(cells_of([by_key.get((EXPLAINED, method)) for method in methods]))
    seeds = [by_key[task.metric, method][0].seeds for method in methods]
    shown.append([Cell(str(number), number) for number in seeds])
    grid = [[Cell(method), *(column[i] for column in shown)] for i, method in enumerate(methods)]
    return panel_of(problem, [*columns, Column("seeds")], grid)
