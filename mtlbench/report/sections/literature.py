"""Numbers that papers give for the suite's problems, beside what was measured here."""

from __future__ import annotations

import math

import pandas as pd

from ...core.literature import PublishedNumber
from ..evidence.evidence import Evidence
from ..evidence.frames import titled
from ..evidence.literature import Comparison
from ..writing.format import MINUS, decimals_for, plus_minus
from ..writing.parts import ARROWS, Cell, Column, Panel, Part, Statement, Table

_CAPTION = (
    "Numbers that the literature gives for these problems, as the suite states them, and the same metric here: mean "
    "± 95 % interval over seeds (Student's t). The range of a published number is ± what its source gives, or the "
    "suite's tolerance (tol.) where it gives nothing. Met: the interval here reaches that range; better: all of it "
    "lies beyond; not met: all of it is worse. Undecided: the mean is worse than the range, and only an interval wider "
    "than the range reaches it, or there are too few seeds for an interval. Nothing is corrected for the number of "
    "entries. Splits, rows and training are this suite's own; the last columns say how the source's differ."
)
_COLUMNS = (
    Column("number", number=False),
    Column("method here", number=False),
    Column("here"),
    Column("published"),
    Column("outcome", number=False),
    Column("seeds"),
    Column("published set-up", number=False),
    Column("what differs", number=False),
    Column("source", number=False),
)


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, one row per published number, and a sentence on how many were met."""
    found = evidence.literature
    if not found:
        return None
    by_problem = {problem: [c for c in found if c.number.problem == problem] for problem in evidence.data.problems}
    panels = tuple(_panel(problem, several) for problem, several in by_problem.items() if several)
    raw = pd.DataFrame([_raw(one) for one in found])
    table = Table("literature", "Published numbers", _CAPTION, raw, panels)
    return Part("literature", "Published numbers", _statements(found), (table,))


def _statements(found: tuple[Comparison, ...]) -> tuple[Statement, ...]:
    """How many of those that can be judged were met, and which were not."""
    judged = [one for one in found if one.outcome not in ("not comparable", "not measured", "undecided")]
    missed = [one for one in judged if one.outcome == "not met"]
    if not judged:
        return (Statement("No published number could be judged by this run.", "unclear"),)
    text = f"{len(judged) - len(missed)} of {len(judged)} published numbers that this run can judge were met."
    points = tuple(f"not met: {one.number.problem}, {_name(one)} of {one.number.method}" for one in missed)
    return (Statement(text, "mixed" if missed else "good", points),)


def _name(one: Comparison) -> str:
    """``topic accuracy [%]``; several tasks are a mean or their rows together."""
    published = one.number
    several = "all rows" if published.over == "rows" else "mean"
    return titled(f"{published.task if published.task is not None else several} {published.metric}", one.unit)


def _panel(problem: str, found: list[Comparison]) -> Panel:
    return Panel(problem, _COLUMNS, tuple(_row(one) for one in found))


def _row(one: Comparison) -> tuple[Cell, ...]:
    published = one.number
    decimals = decimals_for([one.interval.half] if one.interval else [], [one.mean])
    return (
        Cell(_name(one) + ARROWS[one.higher]),
        Cell(published.method),
        Cell(plus_minus(one.mean, one.interval, decimals), one.mean, one.interval),
        Cell(_published(published), published.value),
        Cell(one.outcome),
        Cell(str(one.seeds), one.seeds),
        Cell(published.setup),
        Cell(published.differs),
        Cell(published.source),
    )


def _published(published: PublishedNumber) -> str:
    """``34.3 ± 0.3``, or with a tolerance ``91.2 (tol. 1)``."""
    value, margin = (_as_written(number) for number in (published.value, published.margin))
    return f"{value} ± {margin}" if published.spread is not None else f"{value} (tol. {margin})"


def _as_written(number: float) -> str:
    """With the digits of the source, whatever the uncertainty here."""
    return f"{number:,.10g}".replace("-", MINUS)


def _raw(one: Comparison) -> dict[str, object]:
    published, interval = one.number, one.interval
    return {
        "problem": published.problem,
        "task": published.task or "",
        "over": "" if published.task is not None else published.over,
        "metric": published.metric,
        "unit": one.unit,
        "higher_is_better": one.higher,
        "method": published.method,
        "seeds": one.seeds,
        "mean": one.mean,
        "low": interval.low if interval else math.nan,
        "high": interval.high if interval else math.nan,
        "published": published.value,
        "spread": math.nan if published.spread is None else published.spread,
        "tolerance": math.nan if published.tolerance is None else published.tolerance,
        "outcome": one.outcome,
        "setup": published.setup,
        "differs": published.differs,
        "source": published.source,
    }
