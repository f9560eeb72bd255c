"""Speed by engine: samples per second, step time, the ratio to eager, and whether accuracy stayed the same."""

from __future__ import annotations

import math

import pandas as pd

from ..evidence.agreement import TOLERANCE, Agreement
from ..evidence.evidence import Evidence
from ..evidence.timings import Timing
from ..writing.format import NOTHING, bracket, count, number, short
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table, panel_of

_CAPTION = (
    "Training throughput, means over the timed trials: rows a second and seconds a step after warm-up, synchronised. "
    "For single-task training the tasks' steps are summed. Machine: whether the timed trials had theirs to themselves."
)
_ENGINES = (
    " × eager: samples/s over eager's of the same method, paired by seed, geometric mean with its 95 % interval. "
    f"Accuracy: largest relative difference of a main test metric from eager's; “differs” beyond {100 * TOLERANCE:g} % "
    "where the interval, widened for all comparisons, leaves out zero."
)


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, one row per method and engine."""
    timed = [timing for timing in evidence.timings if math.isfinite(timing.mean("samples_per_second"))]
    if not timed:
        return None
    compared = {(a.problem, a.method, a.engine): a for a in evidence.agreements}
    raw = pd.DataFrame([_raw(t, compared.get((t.problem, t.method, t.engine))) for t in timed])
    panels = tuple(
        _panel(evidence, problem, [t for t in timed if t.problem == problem], compared)
        for problem in evidence.data.problems
        if any(t.problem == problem for t in timed)
    )
    caption = _CAPTION + (_ENGINES if len(evidence.data.engines) > 1 else "")
    table = Table("throughput", "Throughput", caption, raw, panels)
    return Part("throughput", "Throughput", _warnings(timed), (table,))


def _warnings(timed: list[Timing]) -> tuple[Statement, ...]:
    said = []
    shared = sum(timing.shared for timing in timed)
    if shared:
        said.append(
            f"{shared} of {len(timed)} rows come from trials that shared their CPUs or GPU with other work (marked "
            "“shared”): hints, not measurements. Time them on a machine that does nothing else."
        )
    if any(timing.mixed for timing in timed):
        said.append("Some ratios compare trials that ran in different environments (marked “mixed”).")
    return tuple(Statement(text, "warning") for text in said)


def _raw(timing: Timing, agreement: Agreement | None) -> dict[str, object]:
    interval = timing.ratio_interval
    return {
        "problem": timing.problem,
        "method": timing.method,
        "engine": timing.engine,
        "baseline": timing.baseline,
        "timed_seeds": len(timing.values("samples_per_second")),
        "shared": timing.shared,
        "samples_per_second": timing.mean("samples_per_second"),
        "step_seconds": timing.mean("step_seconds"),
        "ratio_to_eager": timing.ratio,
        "ratio_low": interval.low if interval else math.nan,
        "ratio_high": interval.high if interval else math.nan,
        "ratio_shared": timing.ratio_shared,
        "environments_mixed": timing.mixed,
        "accuracy_difference": agreement.relative if agreement else math.nan,
        "accuracy_task": agreement.task if agreement else "",
        "accuracy_differs": agreement.differs if agreement else False,
    }


def _panel(
    evidence: Evidence, problem: str, timed: list[Timing], compared: dict[tuple[str, str, str], Agreement]
) -> Panel:
    columns = [Column("method", number=False), Column("engine", number=False), Column("samples/s", higher=True)]
    columns += [Column("step [ms]", higher=False), Column("timed trials"), Column("machine", number=False)]
    columns += [Column("× eager"), Column("accuracy against eager")]
    order = evidence.order(problem)
    ranked = sorted(timed, key=lambda timing: order.index(timing.method))
    rows = [[*_row(timing), *_beside_eager(timing, compared)] for timing in ranked]
    several = len(evidence.data.engines) > 1
    hidden = set() if several else {"engine", "× eager", "accuracy against eager"}
    return panel_of(problem, columns, rows, hidden)


def _row(timing: Timing) -> list[Cell]:
    rate, step = timing.mean("samples_per_second"), 1000 * timing.mean("step_seconds")
    trials = len(timing.values("samples_per_second"))
    machine = ("shared" if timing.shared else "alone") + (", mixed" if timing.mixed else "")
    return [
        Cell(timing.method),
        Cell(timing.engine),
        Cell(count(rate), rate),
        Cell(short(step), step),
        Cell(str(trials), trials),
        Cell(machine),
    ]


def _beside_eager(timing: Timing, compared: dict[tuple[str, str, str], Agreement]) -> list[Cell]:
    agreement = compared.get((timing.problem, timing.method, timing.engine))
    ratio = Cell(bracket(timing.ratio, timing.ratio_interval, 2, sign=False), timing.ratio)
    if agreement is None or not math.isfinite(agreement.relative):
        return [ratio, Cell(NOTHING)]
    change = f"{number(100 * agreement.relative, 2, sign=True)} %"
    text = f"differs: {change} on {agreement.task}" if agreement.differs else f"same ({change})"
    return [ratio, Cell(text, agreement.relative)]
