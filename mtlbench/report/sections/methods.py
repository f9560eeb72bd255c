"""The table of methods: what each gains and what it costs."""

from __future__ import annotations

import math

import pandas as pd

from ...core.wording import listing
from ..evidence.deltas import Delta, reasons
from ..evidence.evidence import Evidence
from ..evidence.statistics import Interval
from ..evidence.timings import Timing
from ..evidence.weight_sums import WeightSum, weight_sums
from ..writing.format import NOTHING, bracket, count, decimals_for, limits, memory, number, p_value, short
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table, panel_of

_CAPTION = (
    "Δm: mean over tasks of the relative gain of the main test metric over single-task training, in percent, positive "
    "is better; in brackets its 95 % interval (Student's t over seeds, the baseline's uncertainty included). Mean rank "
    "is over tasks and among all methods, over the seeds that all of them have, 1 is best. The single-task row is one "
    "model a task: parameters and training seconds are sums over tasks, samples/s is 1 / Σ 1/rate (a row counts when "
    "every task has seen it), peak memory is the largest; on a CPU it is the resident memory of the whole worker "
    "process, so compare it only between runs of the same kind. "
    "Bold is best; ≈ marks a Δm whose difference to the best, paired by seed, has a 95 % interval that holds zero."
)
_ENGINES = (
    " Every row's mean rank is among the same methods, the others with the first engine that each ran on. × eager: "
    "samples/s over eager's of the same method, paired by seed."
)
_SUMS = " Σλ: what the task weights sum to, mean over steps and seeds."
_TESTED = " * and p: exact sign-flip test over seeds, Holm-corrected over methods, p ≤ 0.05."
_SOME = " A method with tasks in parentheses is for these alone: its Δm and its costs are of them, and none is ranked."
_SHARED = " Times marked “shared” come from trials that had no machine to themselves: do not compare them."


Sums = dict[tuple[str, str, str], WeightSum]
_SHOWN = 0.005  # difference to 1 that two decimals show


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, one row per method and engine."""
    if not evidence.deltas:
        return None
    tested = any(delta.testable for delta in evidence.deltas)
    everywhere = all(timing.shared for timing in evidence.timings)
    panels = tuple(_panel(evidence, problem, tested, everywhere) for problem in evidence.data.problems)
    shared = any(timing.shared for timing in evidence.timings)
    several = len(evidence.data.engines) > 1
    caption = _CAPTION + (_ENGINES if several else "") + (_TESTED if tested else "") + (_SHARED if shared else "")
    sums = weight_sums(evidence.data)
    caption += _SUMS if _unlike_one(sums) else ""
    caption += _SOME if any(delta.tasks for delta in evidence.deltas) else ""
    table = Table("methods", "Methods", caption, _raw(evidence), panels)
    return Part("methods", "Methods", _flags(evidence, sums), (table,))


def _flags(evidence: Evidence, sums: Sums) -> tuple[Statement, ...]:
    return tuple(
        Statement(f"On {problem}, {text}.", "warning")
        for problem in evidence.data.problems
        for text in [
            *reasons(evidence.of(problem), lambda delta: _doubts(delta, sums)),
            *_lacking(evidence.of(problem)),
        ]
    )


def _lacking(deltas: tuple[Delta, ...]) -> list[str]:
    """Why there is no Δm; nothing if the reason is the same for all methods, since the verdict states it."""
    whys = {delta.reason for delta in deltas}
    return reasons(deltas, lambda d: [f"no Δm, {d.reason}"] if d.reason else []) if len(whys) > 1 else []


def _doubts(delta: Delta, sums: Sums) -> list[str]:
    """What to doubt about a Δm, and what other than joint training may explain it."""
    texts = [*delta.flags, *filter(None, [_sum_of(delta, sums).doubt])]
    if delta.unlike and delta.relative:
        unlike = listing(delta.unlike, 4)
        texts.append(f"{unlike} not as in single-task training, so Δm is not of joint training alone")
    return texts


def _raw(evidence: Evidence) -> pd.DataFrame:
    sums = weight_sums(evidence.data)
    return pd.DataFrame(
        [
            {**_raw_row(d, evidence.timing(d.problem, d.method, d.engine)), "mean_weight_sum": _sum_of(d, sums).mean}
            for d in evidence.deltas
        ]
    )


def _sum_of(delta: Delta, sums: Sums) -> WeightSum:
    return sums.get((delta.problem, delta.method, delta.engine), WeightSum())


def _unlike_one(sums: Sums) -> bool:
    """Whether the sums are worth a column."""
    return any(abs(total.mean - 1) > _SHOWN for total in sums.values())


def _raw_row(delta: Delta, timing: Timing | None) -> dict[str, object]:
    return {
        "problem": delta.problem,
        "method": delta.method,
        "engine": delta.engine,
        "tasks": delta.tasks or "all",
        "baseline": delta.baseline,
        "seeds": len(delta.seeds),
        "seeds_left_out": delta.left_out,
        "delta_m": delta.mean,
        **_limits("delta_m", delta.interval),
        "p": delta.p,
        "p_holm": delta.p_holm,
        "can_be_significant": delta.testable,
        "mean_rank": delta.rank,
        "samples_per_second": timing.mean("samples_per_second") if timing else math.nan,
        "ratio_to_eager": timing.ratio if timing else math.nan,
        **_limits("ratio_to_eager", timing.ratio_interval if timing else None),
        "shared": timing.shared if timing else None,
        "timed_seeds": len(timing.values("samples_per_second")) if timing else 0,
        "peak_memory": timing.peak_memory if timing else math.nan,
        "parameters": timing.parameters if timing else math.nan,
        "train_seconds": timing.mean("train_seconds") if timing else math.nan,
        "notes": "; ".join([*delta.flags, *filter(None, [delta.reason])]),
    }


def _limits(name: str, interval: Interval | None) -> dict[str, float]:
    nan = math.nan
    return {f"{name}_low": interval.low if interval else nan, f"{name}_high": interval.high if interval else nan}


def _panel(evidence: Evidence, problem: str, tested: bool, everywhere: bool) -> Panel:
    order = evidence.order(problem)
    deltas = sorted((d for d in evidence.deltas if d.problem == problem), key=lambda d: order.index(d.method))
    timed = [evidence.timing(problem, delta.method, delta.engine) for delta in deltas]
    mark = ", shared" if everywhere and evidence.timings else ""
    columns = [Column("method", number=False), Column("engine", number=False), Column("Δm [%]", higher=True)]
    columns += [Column("mean rank", higher=False), Column("seeds"), Column("p (Holm)"), Column("Σλ")]
    columns += [Column(f"samples/s{mark}", higher=True), Column("× eager"), Column("peak memory")]
    columns += [Column("parameters"), Column(f"training [s]{mark}")]
    hidden = set() if len(evidence.data.engines) > 1 else {"engine", "× eager"}
    hidden |= set() if tested else {"p (Holm)"}
    sums = weight_sums(evidence.data)
    hidden |= set() if _unlike_one(sums) else {"Σλ"}
    decimals = decimals_for((d.interval.half for d in deltas if d.interval), (d.mean for d in deltas), most=2)
    rows = [
        _ranked(delta, [*_quality(delta, decimals), _total(delta, sums), *_cost(timing, marked=not everywhere)])
        for delta, timing in zip(deltas, timed, strict=True)
    ]
    return panel_of(problem, columns, rows, hidden)


def _total(delta: Delta, sums: Sums) -> Cell:
    mean = _sum_of(delta, sums).mean
    return Cell(number(mean, 2), mean)


def _ranked(delta: Delta, cells: list[Cell]) -> list[Cell]:
    """What is of some tasks alone is neither best nor second among rows of all tasks."""
    return [Cell(cell.text) for cell in cells] if delta.tasks else cells


def _quality(delta: Delta, decimals: int) -> list[Cell]:
    p = Cell(p_value(delta.p_holm), delta.p_holm) if delta.testable else Cell(NOTHING)
    rank, seeds = Cell(number(delta.rank, 1), delta.rank), Cell(str(len(delta.seeds)), len(delta.seeds))
    return [Cell(delta.title), Cell(delta.engine), _gain(delta, decimals), rank, seeds, p]


def _cost(timing: Timing | None, marked: bool) -> list[Cell]:
    if timing is None:
        return [Cell(NOTHING)] * 5
    rate, seconds = timing.mean("samples_per_second"), timing.mean("train_seconds")
    mark = " shared" if timing.shared and marked else ""
    return [
        Cell(count(rate) + mark, rate),
        Cell(bracket(timing.ratio, timing.ratio_interval, 2, sign=False), timing.ratio),
        Cell(memory(timing.peak_memory), timing.peak_memory),
        Cell(count(timing.parameters), timing.parameters),
        Cell(short(seconds) + mark, seconds),
    ]


def _gain(delta: Delta, decimals: int) -> Cell:
    if delta.baseline:
        return Cell("0 (reference)", 0.0, Interval(0.0, 0.0), by_seed=dict.fromkeys(delta.seeds, 0.0))
    text = number(delta.mean, decimals, sign=True) + ("*" if delta.significant else "")
    text = f"{text} {limits(delta.interval, decimals)}".strip()
    by_seed = dict(zip(delta.seeds, delta.relative.influence.tolist(), strict=True)) if delta.relative else {}
    return Cell(text, delta.mean, delta.interval, by_seed=by_seed)
