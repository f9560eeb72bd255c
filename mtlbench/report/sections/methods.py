"""The table of methods: what each gains and what it costs."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd

from ...core.wording import listing
from ..evidence.deltas import Delta, reasons
from ..evidence.evidence import Evidence
from ..evidence.references import Reference
from ..evidence.statistics import Interval
from ..writing.format import NOTHING, bracket, decimals_for, limits, number, p_value
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table, panel_of
from . import method_costs as costs

_CAPTION = (
    "Δm: mean over tasks of the relative gain of the main test metric over single-task training, in percent, positive "
    "is better; in brackets its 95 % interval (Student's t over seeds, the baseline's uncertainty included). Mean rank "
    "is over tasks and over the seeds that all methods have, among all methods, 1 is best, with its 95 % interval. The "
    "single-task row is one model a task: parameters, steps and seconds of training are sums over tasks, samples/s is "
    "1 / Σ 1/rate (a row counts when every task has seen it), peak memory is the largest; on a CPU it is the resident "
    "memory of the whole worker process, so compare it only between runs of the same kind. "
    "Bold is best; ≈ marks a Δm whose difference to the best, paired by seed, has a 95 % interval that holds zero."
)
_ENGINES = (
    " Every row's mean rank is among the same methods, the others with the first engine that each ran on. × eager: "
    "samples/s over eager's of the same method, paired by seed."
)
_TESTED = " * and p: exact sign-flip test over seeds, Holm-corrected over methods, p ≤ 0.05."
_CORRECTED = (
    " Intervals of Δm and of ranks allow for the overlap of the seeds' training sets. * and p: corrected resampled t "
    "test (Nadeau and Bengio, 2003), Holm-corrected over methods, p ≤ 0.05."
)
_SOME = " A method with tasks in parentheses is for these alone: its Δm and its costs are of them, and none is ranked."
_BESIDE = (
    " Floor and strong baselines stand below the methods: they are ranked, marked and tested nowhere, and their costs "
    "are not comparable."
)


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, one row per method and engine."""
    if not evidence.deltas:
        return None
    tested = any(delta.testable for delta in evidence.deltas)
    panels = tuple(_panel(evidence, problem, tested) for problem in evidence.data.problems)
    several = len(evidence.data.engines) > 1
    caption = _CAPTION + (_ENGINES if several else "") + (_tests(evidence) if tested else "")
    caption += costs.caption(evidence) + (_BESIDE if evidence.references else "")
    caption += _SOME if any(delta.tasks for delta in evidence.deltas) else ""
    table = Table("methods", "Methods", caption, _raw(evidence), panels)
    return Part("methods", "Methods", _flags(evidence), (table,))


def _tests(evidence: Evidence) -> str:
    return _CORRECTED if any(delta.overlap for delta in evidence.deltas) else _TESTED


def _flags(evidence: Evidence) -> tuple[Statement, ...]:
    return tuple(
        Statement(f"On {problem}, {text}.", "warning")
        for problem in evidence.data.problems
        for text in [*reasons(evidence.of(problem), partial(_doubts, evidence)), *_lacking(evidence.of(problem))]
    )


def _lacking(deltas: tuple[Delta, ...]) -> list[str]:
    """Why there is no Δm; nothing if the reason is the same for all methods, since the verdict states it."""
    whys = {delta.reason for delta in deltas}
    return reasons(deltas, lambda d: [f"no Δm, {d.reason}"] if d.reason else []) if len(whys) > 1 else []


def _doubts(evidence: Evidence, delta: Delta) -> list[str]:
    """What to doubt about a Δm, and what other than joint training may explain it."""
    texts = [*delta.flags, *(delta.held if delta.outcome == "held" else ())]
    texts += filter(None, [evidence.weight_sum(delta.problem, delta.method, delta.engine).doubt])
    if delta.unlike and delta.relative:
        unlike = listing(delta.unlike, 4)
        texts.append(f"{unlike} not as in single-task training, so Δm is not of joint training alone")
    return texts


def _raw(evidence: Evidence) -> pd.DataFrame:
    methods = [{**_raw_row(delta), **costs.raw(evidence, delta), "reference": False} for delta in evidence.deltas]
    beside = [
        {**_raw_row(one.delta), **costs.raw(evidence, one.delta), "reference": True} for one in evidence.references
    ]
    return pd.DataFrame([*methods, *beside])


def _raw_row(delta: Delta) -> dict[str, object]:
    return {
        "problem": delta.problem,
        "method": delta.method,
        "engine": delta.engine,
        "tasks": delta.tasks or "all",
        "baseline": delta.baseline,
        "seeds": len(delta.seeds),
        "seeds_left_out": delta.left_out,
        "delta_m": delta.mean,
        **_limits("delta_m", delta.interval if delta.relative else None),
        "p": delta.p,
        "p_holm": delta.p_holm,
        "can_be_significant": delta.testable,
        "outcome": "" if delta.baseline else delta.outcome,
        "judged_by": delta.measure or ("delta_m" if delta.relative else ""),
        "mean_rank": delta.rank,
        **_limits("mean_rank", delta.rank_interval),
        "notes": "; ".join([*delta.flags, *filter(None, [delta.reason])]),
    }


def _limits(name: str, interval: Interval | None) -> dict[str, float]:
    nan = math.nan
    return {f"{name}_low": interval.low if interval else nan, f"{name}_high": interval.high if interval else nan}


def _panel(evidence: Evidence, problem: str, tested: bool) -> Panel:
    order = evidence.order(problem)
    deltas = sorted((d for d in evidence.deltas if d.problem == problem), key=lambda d: order.index(d.method))
    columns = [Column("method", number=False), Column("engine", number=False), Column("Δm [%]", higher=True)]
    columns += [Column("mean rank", higher=False), Column("seeds"), Column("p (Holm)"), *costs.columns(evidence)]
    hidden = costs.hidden(evidence) | (set() if len(evidence.data.engines) > 1 else {"engine"})
    hidden |= set() if tested else {"p (Holm)"}
    decimals = decimals_for((d.interval.half for d in deltas if d.interval), (d.mean for d in deltas), most=2)
    rows = [_ranked(delta, [*_quality(delta, decimals), *costs.cells(evidence, delta)]) for delta in deltas]
    rows += [_below(evidence, reference, decimals) for reference in evidence.beside(problem)]
    return panel_of(problem, columns, rows, hidden)


def _below(evidence: Evidence, reference: Reference, decimals: int) -> list[Cell]:
    """The row of a reference: its Δm and seeds, neither best nor second."""
    cells = [*_quality(reference.delta, decimals), *costs.cells(evidence, reference.delta)]
    return [Cell(reference.title), *(Cell(cell.text) for cell in cells[1:])]


def _ranked(delta: Delta, cells: list[Cell]) -> list[Cell]:
    """What is of some tasks alone is neither best nor second among rows of all tasks."""
    return [Cell(cell.text) for cell in cells] if delta.tasks else cells


def _quality(delta: Delta, decimals: int) -> list[Cell]:
    p = Cell(p_value(delta.p_holm), delta.p_holm) if delta.testable else Cell(NOTHING)
    rank, seeds = (
        Cell(bracket(delta.rank, delta.rank_interval, 1, sign=False), delta.rank),
        Cell(str(len(delta.seeds)), len(delta.seeds)),
    )
    return [Cell(delta.title), Cell(delta.engine), _gain(delta, decimals), rank, seeds, p]


def _gain(delta: Delta, decimals: int) -> Cell:
    if delta.baseline:
        return Cell("0 (reference)", 0.0, Interval(0.0, 0.0), by_seed=dict.fromkeys(delta.seeds, 0.0))
    if delta.relative is None:
        return Cell(NOTHING)
    text = number(delta.mean, decimals, sign=True) + ("*" if delta.significant else "")
    text = f"{text} {limits(delta.interval, decimals)}".strip()
    by_seed = dict(zip(delta.seeds, delta.relative.influence.tolist(), strict=True))
    return Cell(text, delta.mean, delta.interval, by_seed=by_seed)
