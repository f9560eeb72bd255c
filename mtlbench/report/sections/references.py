"""Floors and strong baselines against the best method, task by task."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from ...core.wording import listing
from ..evidence.evidence import Evidence
from ..evidence.references import Contest, Reference
from ..evidence.statistics import Interval
from ..writing.format import bracket, decimals_for, number
from ..writing.parts import ARROWS, Cell, Column, Panel, Part, Statement, Table

_CAPTION = (
    "References stand beside the methods and are counted nowhere as such. The floor predicts one thing for all rows of "
    "a task: what fits its training labels best, whatever the inputs; strong baselines are fitted to every task apart. "
    "Best method: the one furthest ahead of the reference, or least behind, single-task training included; gap: how "
    "much better it is on the main test metric, in the metric's unit, paired by seed, with its 95 % interval "
    "(Student's t), which is not corrected for the choice among methods."
)
_MOST = 6  # tasks that a statement names


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, one row per reference and task."""
    rows = [(reference, contest) for reference in evidence.references for contest in reference.contests]
    if not rows:
        return None
    raw = pd.DataFrame([_raw(reference, contest) for reference, contest in rows])
    by_problem = {problem: [row for row in rows if row[0].problem == problem] for problem in evidence.data.problems}
    panels = tuple(_panel(problem, of_problem) for problem, of_problem in by_problem.items() if of_problem)
    table = Table("references", "Floor and strong baselines", _CAPTION, raw, panels)
    return Part("references", "Floor and strong baselines", tables=(table,))


def statements(evidence: Evidence) -> list[Statement]:
    """On which tasks no method is better than the floor, and on which a strong baseline is better than every method."""
    said = []
    for reference in evidence.references:
        unbeaten = [contest for contest in reference.contests if contest.unbeaten and not contest.held]
        ahead = [contest for contest in reference.contests if contest.ahead and not contest.held]
        if reference.floor and unbeaten:
            text = f"On {reference.problem}, no method, single-task training included, is clearly better than a "
            text += f"constant prediction ({reference.name}) on {_names(unbeaten)}."
            said.append(Statement(text, "bad", _points(reference, unbeaten)))
        if reference.kind == "strong baseline" and ahead:
            text = (
                f"On {reference.problem}, {reference.name}, fitted to every task apart, is clearly better than every "
            )
            text += f"method, single-task training included, on {_names(ahead)}."
            said.append(Statement(text, "mixed", _points(reference, ahead)))
        said += _unclear(reference)
    return said


def _unclear(reference: Reference) -> list[Statement]:
    """On which tasks that cannot be said yet, since methods were undertrained."""
    strong = reference.kind == "strong baseline"
    held = [c for c in reference.contests if c.held and ((reference.floor and c.unbeaten) or (strong and c.ahead))]
    if not held:
        return []
    text = f"On {reference.problem}, whether any method is better than {reference.name} on {_names(held)} is unclear"
    return [Statement(text, "unclear", tuple(dict.fromkeys(why for contest in held for why in contest.held))[:_MOST])]


def _names(contests: Sequence[Contest]) -> str:
    return listing((contest.task.name for contest in contests), _MOST)


def _points(reference: Reference, contests: Sequence[Contest]) -> tuple[str, ...]:
    return tuple(
        f"{contest.task.title}: {reference.name} {number(contest.value, _decimals(contest))}, {contest.method} "
        f"{'better' if contest.gap >= 0 else 'worse'} by "
        f"{bracket(abs(contest.gap), _turned(contest), _decimals(contest), sign=False)}"
        for contest in contests[:_MOST]
    )


def _turned(contest: Contest) -> Interval | None:
    """The interval of the gap's size: turned round where the gap is below zero."""
    if contest.interval is None or contest.gap >= 0:
        return contest.interval
    return Interval(-contest.interval.high, -contest.interval.low)


def _decimals(contest: Contest) -> int:
    return decimals_for([contest.interval.half] if contest.interval else [], [contest.value])


def _raw(reference: Reference, contest: Contest) -> dict[str, object]:
    interval = contest.interval
    return {
        "problem": reference.problem,
        "reference": reference.name,
        "kind": reference.kind,
        "task": contest.task.name,
        "metric": contest.task.metric,
        "unit": contest.task.unit,
        "higher_is_better": contest.task.higher,
        "value": contest.value,
        "best_method": contest.method,
        "gap": contest.gap,
        "gap_low": interval.low if interval else math.nan,
        "gap_high": interval.high if interval else math.nan,
        "seeds": contest.seeds,
        "no_method_better": contest.unbeaten,
        "better_than_every_method": contest.ahead,
        "held": bool(contest.held),
    }


def _panel(problem: str, rows: Sequence[tuple[Reference, Contest]]) -> Panel:
    titles = ("task", "reference", "value", "best method", "gap of the best method", "seeds")
    columns = tuple(Column(title, number=title in ("value", "gap of the best method", "seeds")) for title in titles)
    return Panel(problem, columns, tuple(_row(reference, contest) for reference, contest in rows))


def _row(reference: Reference, contest: Contest) -> tuple[Cell, ...]:
    decimals = _decimals(contest)
    gap = bracket(contest.gap, contest.interval, decimals)
    return (
        Cell(contest.task.title + ARROWS[contest.task.higher]),
        Cell(reference.title),
        Cell(number(contest.value, decimals), contest.value),
        Cell(contest.method),
        Cell(gap, contest.gap),
        Cell(str(contest.seeds), contest.seeds),
    )
