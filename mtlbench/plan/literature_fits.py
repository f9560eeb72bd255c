"""Why a published number of a suite could not be held against any result: the data have no such task or metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..core.errors import did_you_mean
from ..core.literature import EXPLAINED, PublishedNumber
from ..core.metrics import metric
from ..core.task import Outline
from ..suite.entries import Entry
from ..suite.tree import Place


def literature_faults(
    entries: Iterable[Entry[PublishedNumber]], outlines: Mapping[str, Outline]
) -> Iterator[tuple[Place, str]]:
    """A place and a sentence for each task and metric that the outlines do not have."""
    for entry in entries:
        number = entry.checked
        outline = outlines.get(number.problem)
        if outline is None:
            continue
        if number.task is not None and number.task not in outline.names:
            message = f"literature: problem '{number.problem}' has no task '{number.task}', "
            yield entry.node["task"].place, message + did_you_mean(number.task, outline.names)
            continue
        known = _metrics(number, outline)
        if number.metric not in known:
            whose = f"task '{number.task}'" if number.task else f"all tasks of problem '{number.problem}'"
            message = f"literature: '{number.metric}' is no metric of {whose}"
            message += " for their rows together" if number.over == "rows" else ""
            yield entry.node["metric"].place, f"{message}, {did_you_mean(number.metric, known)}"


def _metrics(number: PublishedNumber, outline: Outline) -> tuple[str, ...]:
    """The metrics that every task in question has, or that their rows have together."""
    tasks = [task for task in outline.tasks if number.task in (None, task.name)]
    if number.over == "rows":
        main = tasks[0].main_metric
        alike = len({(task.main_metric, task.unit) for task in tasks}) == 1 and metric(main).power
        return (main, *([EXPLAINED] if main == "rmse" else [])) if alike else ()
    return tuple(name for name in tasks[0].metrics if all(name in task.metrics for task in tasks))
