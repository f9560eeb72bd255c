"""The main metric over the rows of all tasks together, if they share one metric and one unit."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ...core.literature import EXPLAINED
from ..evidence.evidence import Evidence
from ..evidence.frames import ReportData, rows, titled
from ..evidence.pooled import Pooled, pooled
from ..writing.parts import Cell, Column, Panel, Part, Table, panel_of
from .tasks import cells_of, summary

_CAPTION = (
    "The main test metric over the test rows of all tasks together, so that a task counts by its rows; the tasks share "
    "metric and unit. Mean ± 95 % interval over seeds (Student's t); below, the difference to single-task training, "
    "paired by seed, with its 95 % interval. Bold is best; ≈ marks what differs from the best, paired by seed, by an "
    "interval that holds zero."
)
_EXPLAINED = (
    " Explained variance: 1 − Σ (label − prediction)² / Σ (label − mean of all labels)² over these rows. Papers on "
    "School report explained variance (Bakker and Heskes, JMLR 2003; Evgeniou and Pontil, KDD 2004); about each task's "
    "own mean instead of the common one it is less."
)
Line = tuple[dict[str, object], pd.Series]  # a row of the raw table, and its values by seed


def section(evidence: Evidence) -> Part | None:
    """One panel per problem whose tasks can be pooled, one row per method; all engines are in the CSV file."""
    data = evidence.data
    by_problem = {
        problem: [_line(data, problem, one) for one in found]
        for problem in data.problems
        if (found := list(pooled(data, problem)))
    }
    if not by_problem:
        return None
    raw = pd.DataFrame([head for lines in by_problem.values() for head, _ in lines])
    panels = tuple(_panel(evidence, problem, lines) for problem, lines in by_problem.items())
    caption = _CAPTION + (_EXPLAINED if (raw["metric"] == EXPLAINED).any() else "")
    return Part("pooled", "All rows together", tables=(Table("pooled", "All rows together", caption, raw, panels),))


def _line(data: ReportData, problem: str, one: Pooled) -> Line:
    """A row of the raw table and its values by seed."""
    task = one.task
    head = {"problem": problem, "metric": task.metric, "unit": task.unit, "higher_is_better": task.higher}
    head |= {"method": one.method, "engine": one.engine}
    return head | summary(one.values, one.single, one.method == data.baseline(problem)), one.values


def _panel(evidence: Evidence, problem: str, lines: Sequence[Line]) -> Panel:
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
