"""The table of methods: what each gains and what it costs."""

from __future__ import annotations

import math

import pandas as pd

from ...core.wording import listing
from ..evidence.convergence import Convergence
from ..evidence.deltas import Delta, reasons
from ..evidence.evidence import Evidence
from ..evidence.references import Reference
from ..evidence.statistics import Interval
from ..evidence.timings import Timing
from ..evidence.tunings import Tuning
from ..writing.format import NOTHING, bracket, count, decimals_for, limits, memory, number, p_value, short
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table, panel_of

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
_TUNED = " Tuning is the time of all candidates of all seeds together, of which the training shown is one seed's."
_SOME = " A method with tasks in parentheses is for these alone: its Δm and its costs are of them, and none is ranked."
_BESIDE = (
    " Floor and strong baselines stand below the methods: they are ranked, marked and tested nowhere, and their costs "
    "are not comparable."
)
_SHARED = " Times marked “shared” come from trials that had no machine to themselves: do not compare them."


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, one row per method and engine."""
    if not evidence.deltas:
        return None
    tested = any(delta.testable for delta in evidence.deltas)
    everywhere = all(timing.shared for timing in evidence.timings)
    panels = tuple(_panel(evidence, problem, tested, everywhere) for problem in evidence.data.problems)
    shared = any(timing.shared for timing in evidence.timings)
    several = len(evidence.data.engines) > 1
    caption = _CAPTION + (_ENGINES if several else "") + (_tests(evidence) if tested else "")
    caption += (_SHARED if shared else "") + (_TUNED if evidence.tunings else "")
    caption += _BESIDE if evidence.references else ""
    caption += _SOME if any(delta.tasks for delta in evidence.deltas) else ""
    table = Table("methods", "Methods", caption, _raw(evidence), panels)
    return Part("methods", "Methods", _flags(evidence), (table,))


def _tests(evidence: Evidence) -> str:
    return _CORRECTED if any(delta.overlap for delta in evidence.deltas) else _TESTED


def _flags(evidence: Evidence) -> tuple[Statement, ...]:
    return tuple(
        Statement(f"On {problem}, {text}.", "warning")
        for problem in evidence.data.problems
        for text in [*reasons(evidence.of(problem), _doubts), *_lacking(evidence.of(problem))]
    )


def _lacking(deltas: tuple[Delta, ...]) -> list[str]:
    """Why there is no Δm; nothing if the reason is the same for all methods, since the verdict states it."""
    whys = {delta.reason for delta in deltas}
    return reasons(deltas, lambda d: [f"no Δm, {d.reason}"] if d.reason else []) if len(whys) > 1 else []


def _doubts(delta: Delta) -> list[str]:
    """What to doubt about a Δm, and what other than joint training may explain it."""
    texts = [*delta.flags, *(delta.held if delta.outcome == "held" else ())]
    if delta.unlike and delta.relative:
        unlike = listing(delta.unlike, 4)
        texts.append(f"{unlike} not as in single-task training, so Δm is not of joint training alone")
    return texts


def _raw(evidence: Evidence) -> pd.DataFrame:
    keys = [(d.problem, d.method, d.engine) for d in evidence.deltas]
    methods = [
        {
            **_raw_row(delta, evidence.timing(*key)),
            **_effort(evidence.convergence(*key)),
            **_raw_tuning(evidence.tuning(*key)),
        }
        for delta, key in zip(evidence.deltas, keys, strict=True)
    ]
    beside = [{**_raw_row(reference.delta, None), "reference": True} for reference in evidence.references]
    return pd.DataFrame([*({**row, "reference": False} for row in methods), *beside])


def _effort(trained: Convergence | None) -> dict[str, float]:
    """How long a method trained; NaN for a learner without epochs."""
    names = ("epochs", "steps", "best_epoch")
    return {name: getattr(trained, name) if trained else math.nan for name in names}


def _raw_tuning(tuning: Tuning | None) -> dict[str, object]:
    """How many candidates there were, and how long all of them took; one that did not choose had one."""
    return {"candidates": tuning.budget if tuning else 1, "tuning_seconds": tuning.seconds if tuning else 0.0}


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
        **_limits("delta_m", delta.interval if delta.relative else None),
        "p": delta.p,
        "p_holm": delta.p_holm,
        "can_be_significant": delta.testable,
        "outcome": "" if delta.baseline else delta.outcome,
        "judged_by": delta.measure or ("delta_m" if delta.relative else ""),
        "mean_rank": delta.rank,
        **_limits("mean_rank", delta.rank_interval),
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
    trained = [_effort(evidence.convergence(problem, d.method, d.engine))["steps"] for d in deltas]
    mark = ", shared" if everywhere and evidence.timings else ""
    columns = [Column("method", number=False), Column("engine", number=False), Column("Δm [%]", higher=True)]
    columns += [Column("mean rank", higher=False), Column("seeds"), Column("p (Holm)")]
    columns += [Column(f"samples/s{mark}", higher=True), Column("× eager"), Column("peak memory")]
    columns += [Column("parameters"), Column("steps"), Column(f"training [s]{mark}"), Column("tuning [s]")]
    hidden = set() if len(evidence.data.engines) > 1 else {"engine", "× eager"}
    hidden |= set() if tested else {"p (Holm)"}
    hidden |= set() if evidence.tunings else {"tuning [s]"}
    decimals = decimals_for((d.interval.half for d in deltas if d.interval), (d.mean for d in deltas), most=2)
    rows = [
        _ranked(
            delta,
            [*_quality(delta, decimals), *_cost(timing, steps, marked=not everywhere), _tuned(evidence, delta)],
        )
        for delta, timing, steps in zip(deltas, timed, trained, strict=True)
    ]
    rows += [_below(reference, decimals) for reference in evidence.beside(problem)]
    return panel_of(problem, columns, rows, hidden)


def _below(reference: Reference, decimals: int) -> list[Cell]:
    """The row of a reference: its Δm and seeds, neither best nor second."""
    cells = [*_quality(reference.delta, decimals), *_cost(None, math.nan, marked=False), Cell(NOTHING)]
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


def _cost(timing: Timing | None, steps: float, marked: bool) -> list[Cell]:
    if timing is None:
        return [Cell(NOTHING)] * 6
    rate, seconds = timing.mean("samples_per_second"), timing.mean("train_seconds")
    mark = " shared" if timing.shared and marked else ""
    return [
        Cell(count(rate) + mark, rate),
        Cell(bracket(timing.ratio, timing.ratio_interval, 2, sign=False), timing.ratio),
        Cell(memory(timing.peak_memory), timing.peak_memory),
        Cell(count(timing.parameters), timing.parameters),
        Cell(count(steps), steps),
        Cell(short(seconds) + mark, seconds),
    ]


def _tuned(evidence: Evidence, delta: Delta) -> Cell:
    tuning = evidence.tuning(delta.problem, delta.method, delta.engine)
    return Cell(short(tuning.seconds), tuning.seconds) if tuning else Cell(NOTHING)


def _gain(delta: Delta, decimals: int) -> Cell:
    if delta.baseline:
        return Cell("0 (reference)", 0.0, Interval(0.0, 0.0), by_seed=dict.fromkeys(delta.seeds, 0.0))
    if delta.relative is None:
        return Cell(NOTHING)
    text = number(delta.mean, decimals, sign=True) + ("*" if delta.significant else "")
    text = f"{text} {limits(delta.interval, decimals)}".strip()
    by_seed = dict(zip(delta.seeds, delta.relative.influence.tolist(), strict=True))
    return Cell(text, delta.mean, delta.interval, by_seed=by_seed)
