"""Equal footing: what other than sharing differs between methods and single-task training."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.footing import ALIKE, Footing, footings
from ..evidence.half_claims import EQUAL_SIZE
from ..writing.format import bracket, decimals_for, number
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table, panel_of
from .half_patience import doubt

_CAPTION = (
    "Parameters: the method's over those of the baseline's networks together. Updates: steps an epoch of the method "
    "over those of each task's own network, from the lowest to the highest. Δm against matched: the relative gain over "
    "single-task networks that have together as many parameters as the joint network (capacity: matched), in percent "
    "with its 95 % interval."
)


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, and what differs by more than a tenth in words."""
    every = footings(evidence.data, evidence.timings, evidence.convergences)
    known = [footing for footing in every if math.isfinite(footing.parameters) or footing.updates]
    if not known:
        return None
    by_problem = {p: [f for f in known if f.problem == p] for p in dict.fromkeys(f.problem for f in known)}
    statements = [s for problem, each in by_problem.items() for s in _statements(evidence, problem, each)]
    panels = tuple(_panel(problem, each) for problem, each in by_problem.items())
    table = Table("footing", "Equal footing", _CAPTION, pd.DataFrame([_raw(f) for f in known]), panels)
    return Part("footing", "Equal footing", tuple(statements), (table,))


def _statements(evidence: Evidence, problem: str, each: list[Footing]) -> Iterator[Statement]:
    sizes = [footing.parameters for footing in each if footing.unlike_size]
    if sizes and not evidence.data.matched(problem):
        limits = dict.fromkeys(f"{size:.2g}" for size in (min(sizes), max(sizes)))
        text = f"On {problem} {plural(len(sizes), 'method')} of {len(each)} have {' to '.join(limits)} times the "
        text += "parameters of the baseline's networks together; capacity: matched would tell how much that explains."
        yield Statement(text)
    if matched := [footing for footing in each if footing.interval]:
        yield _of_matched(problem, matched, doubt(evidence, EQUAL_SIZE, problem))
    for trunks in dict.fromkeys(footing.trunk for footing in each if footing.trunk):
        methods = listing((f.method for f in each if f.trunk == trunks), 6)
        text = f"On {problem} the trunk of {methods} is {trunks[0]}, and that of single-task training {trunks[1]}, so "
        yield Statement(f"{text}that Δm is not of sharing alone.", "warning")
    tasks = {task: ratio for footing in each for task, ratio in footing.unlike_updates.items()}
    if tasks:
        ratios = listing((f"{task} ({ratio:.2g} times)" for task, ratio in tasks.items()), 6)
        text = f"On {problem} joint training makes another number of updates an epoch than the tasks' own networks: "
        yield Statement(f"{text}{ratios}; train.steps would give all of them as many.", "warning")


def _of_matched(problem: str, matched: list[Footing], doubts: list[str]) -> Statement:
    """How methods compare with networks of equal size."""
    signs: dict[str, list[str]] = {"better": [], "worse": [], "not distinguishable": []}
    for footing in matched:
        if not footing.held:
            signs[footing.sign or "not distinguishable"].append(footing.method)
    said = [f"{word}: {listing(methods, 6)}" for word, methods in signs.items() if methods]
    said += [f"no verdict yet, {footing.method}: {why}" for footing in matched for why in footing.held]
    return Statement(f"On {problem}, against single-task networks of equal size in all", points=(*said, *doubts))


def _panel(problem: str, each: list[Footing]) -> Panel:
    columns = [Column("method", number=False), Column("parameters / baseline's"), Column("updates / task's own")]
    columns.append(Column("Δm against matched [%]", higher=True))
    decimals = decimals_for((f.interval.half for f in each if f.interval), (f.matched for f in each), most=2)
    cells = [
        [
            Cell(footing.method),
            Cell(number(footing.parameters, 2), footing.parameters),
            Cell(_span(footing), math.nan),
            Cell(bracket(footing.matched, footing.interval, decimals), footing.matched, footing.interval),
        ]
        for footing in each
    ]
    hidden = set() if any(math.isfinite(f.matched) for f in each) else {"Δm against matched [%]"}
    return panel_of(problem, columns, cells, hidden)


def _span(footing: Footing) -> str:
    ends = dict.fromkeys(number(f(footing.updates.values()), 2) for f in (min, max)) if footing.updates else {"–": None}
    return " to ".join(ends)


def _raw(footing: Footing) -> dict[str, object]:
    nan = math.nan
    return {
        "problem": footing.problem,
        "method": footing.method,
        "parameters_ratio": footing.parameters,
        "trunk": footing.trunk[0] if footing.trunk else "",
        "baseline_trunk": footing.trunk[1] if footing.trunk else "",
        "updates_ratio_low": min(footing.updates.values(), default=nan),
        "updates_ratio_high": max(footing.updates.values(), default=nan),
        "delta_m_matched": footing.matched,
        "delta_m_matched_low": footing.interval.low if footing.interval else nan,
        "delta_m_matched_high": footing.interval.high if footing.interval else nan,
        "matched_held": bool(footing.held),
        "alike_within": ALIKE,
    }
