"""The same comparison by other measures, which hold where one task dominates Delta m or makes it meaningless."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from ..evidence.deltas import Delta
from ..evidence.evidence import Evidence
from ..evidence.measures import MEASURES
from ..evidence.statistics import Interval, mean_interval
from ..writing.format import NOTHING, bracket, decimals_for, number
from ..writing.parts import Cell, Column, Panel, Part, Table, panel_of

_COLUMNS = {"constant": "of the constant's error [%]", "log_ratio": "error, × single-task", "wins": "net tasks won [%]"}
_CAPTION = (
    "Other measures of the same gain, with 95 % intervals over seeds. Median task: the median over tasks of the "
    "relative gain that Δm averages. Of the constant's error: the mean over tasks of the difference of errors, in "
    "percent of the error of a constant predictor, where one ran. Error, × single-task: the geometric mean over tasks "
    "of the ratio of errors, below 1 is better. Net tasks won: the share of tasks won less the share lost, per seed. A "
    "share's error is what it lacks to 100 %. Where Δm cannot be formed, the verdict rests on the first of the last "
    "three that exists."
)


def section(evidence: Evidence) -> Part | None:
    """One panel per problem of several tasks, one row per method."""
    problems = {
        problem: [delta for delta in evidence.of(problem) if delta.companions]
        for problem in evidence.data.problems
        if evidence.data.joint(problem)
    }
    problems = {problem: deltas for problem, deltas in problems.items() if deltas}
    if not problems:
        return None
    raw = pd.DataFrame([_raw(delta) for deltas in problems.values() for delta in deltas])
    panels = tuple(_panel(evidence, problem, deltas) for problem, deltas in problems.items())
    table = Table("companions", "Gains by other measures", _CAPTION, raw, panels)
    return Part("companions", "By other measures", tables=(table,))


def _median(delta: Delta) -> float:
    return float(np.median(delta.relative.per_task)) if delta.relative else math.nan


def _interval(delta: Delta, name: str) -> Interval | None:
    gain = delta.companions.get(name)
    interval = mean_interval(gain.influence, overlap=delta.overlap) if gain else None
    return interval.clipped(-100, 100) if interval and name == "wins" else interval


def _raw(delta: Delta) -> dict[str, Any]:
    row: dict[str, Any] = {"problem": delta.problem, "method": delta.method, "engine": delta.engine}
    row |= {"judged_by": delta.measure or "delta_m", "median_task": _median(delta)}
    for name in MEASURES:
        interval = _interval(delta, name)
        row |= {
            name: delta.companions[name].mean if name in delta.companions else math.nan,
            f"{name}_low": interval.low if interval else math.nan,
            f"{name}_high": interval.high if interval else math.nan,
        }
    return row


def _panel(evidence: Evidence, problem: str, deltas: list[Delta]) -> Panel:
    order = evidence.order(problem)
    deltas = sorted(deltas, key=lambda delta: order.index(delta.method))
    shown = [name for name in MEASURES if any(name in delta.companions for delta in deltas)]
    columns = [Column("method", number=False), Column("median task [%]", higher=True)]
    columns += [Column(_COLUMNS[name], higher=name != "log_ratio") for name in shown]
    rows = [
        [Cell(delta.title), Cell(number(_median(delta), 1, sign=True), _median(delta)), *_cells(delta, shown)]
        for delta in deltas
    ]
    return panel_of(problem, columns, rows)


def _cells(delta: Delta, shown: list[str]) -> list[Cell]:
    cells = []
    for name in shown:
        gain, interval = delta.companions.get(name), _interval(delta, name)
        if gain is None:
            cells.append(Cell(NOTHING))
        elif name == "log_ratio":
            factor = math.exp(-gain.mean / 100)
            limits = Interval(math.exp(-interval.high / 100), math.exp(-interval.low / 100)) if interval else None
            decimals = decimals_for([limits.half] if limits else [], [factor], most=3)
            cells.append(Cell(bracket(factor, limits, decimals, sign=False), factor))
        else:
            decimals = decimals_for([interval.half] if interval else [], [gain.mean], most=2)
            cells.append(Cell(bracket(gain.mean, interval, decimals), gain.mean, interval))
    return cells
