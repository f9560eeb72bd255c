"""Whether verdicts stand when everything is trained for longer: the outcomes with half the patience beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from ...core.wording import listing, plural
from ..evidence.deltas import Delta
from ..evidence.evidence import Evidence
from ..evidence.half_claims import Claim
from ..evidence.half_patience import HalfPatience
from ..writing.format import bracket, count, decimals_for, number
from ..writing.parts import Cell, Column, Panel, Statement, Table, Tone, panel_of

_CAPTION = (
    "Half: every outcome as it would be had each training, single-task training and all candidates of tuning included, "
    "ended when half its patience was over: by the weights kept then, with the learning rates and other choices that "
    "validation would have made then. Full: as it was. Gains are in percent with their 95 % intervals. Epochs and "
    "steps (as in the table above) are with half the patience, and the share that they are of those with all of it."
)
_WORDS = {"equal": "practically equal", "held": "no verdict yet", "few": "without an interval", "none": "none"}
_MOST = 6


def statements(evidence: Evidence) -> tuple[Statement, ...]:
    """One per problem where it is known, and one of all that is judged beside gains over single-task training."""
    every = [evidence.half_patience(problem) for problem in evidence.data.problems]
    others = [_others(evidence.half_claims)] if evidence.half_claims else []
    return (*(_statement(found) for found in every if found), *others)


def _others(claims: Sequence[Claim]) -> Statement:
    differing = [claim for claim in claims if claim.differs]
    about = f"{plural(len(claims), 'other comparison')} (with networks of equal size, references, the scalarization "
    about += "frontier, over problems)"
    if not differing:
        return Statement(f"With half the patience, the answers of {about} are the same.")
    points = tuple(f"{claim.question}: {claim.half} instead of {claim.full}" for claim in differing[:_MOST])
    more = f", among them {_MOST}" if len(differing) > _MOST else ""
    text = f"With half the patience, {len(differing)} of {about} would have another answer{more}"
    return Statement(text, "warning", points)


def _statement(found: Sequence[HalfPatience]) -> Statement:
    problem = found[0].full.problem
    trials, of = (max(counts) for counts in zip(*(each.unhalved for each in found), strict=True))
    if any(each.unhalved.telling for each in found):
        text = f"On {problem}, half the patience tells little: a cap ended up to {trials} of {of} trainings behind an "
        return Statement(f"{text}outcome before that was over, and they would have been the same.", "warning")
    differing = [each for each in found if each.differs]
    if not differing:
        return Statement(f"With half the patience, the verdict on {problem} is the same for each method.")
    tone: Tone = "warning" if any(each.unsettled for each in differing) else "plain"
    head = f"With half the patience, the verdict on {problem} would be another"
    return Statement(head, tone, (listing(map(_instead, differing), _MOST),))


def _instead(each: HalfPatience) -> str:
    """``equal worse (−1.3 %) instead of undecided (−0.4 %)``."""
    decimals = _decimals([each])
    before, after = (f"{outcome(d)} ({number(_gained(d), decimals, sign=True)} %)" for d in (each.half, each.full))
    return f"{each.full.title} {before} instead of {after}"


def doubt(evidence: Evidence, against: str, problem: str) -> list[str]:
    """Which of the answers to one question of a problem are other ones with half the patience, if any."""
    found = evidence.unsettled(against, problem)
    return (
        [f"another answer with half the patience, and so perhaps with more: {listing(found, _MOST)}"] if found else []
    )


def outcome(delta: Delta) -> str:
    """The outcome in words."""
    return _WORDS.get(delta.outcome, delta.outcome)


def tables(evidence: Evidence) -> tuple[Table, ...]:
    """One panel per problem, one row per method with the engine that verdicts rest on."""
    every = [(problem, evidence.half_patience(problem)) for problem in evidence.data.problems]
    panels = tuple(_panel(problem, found) for problem, found in every if found)
    raw = pd.DataFrame([_raw(each) for _, found in every for each in found])
    return (Table("half_patience", "With half the patience", _CAPTION, raw, panels),) if panels else ()


def _panel(problem: str, found: Sequence[HalfPatience]) -> Panel:
    titles = ("method", "half: gain [%]", "half: outcome", "full: gain [%]", "full: outcome", "epochs", "steps")
    columns = [Column(title, number=title not in ("method", "half: outcome", "full: outcome")) for title in titles]
    decimals = _decimals(found)
    return panel_of(problem, columns, [_cells(each, decimals) for each in found])


def _cells(each: HalfPatience, decimals: int) -> list[Cell]:
    judged = [
        cell
        for delta in (each.half, each.full)
        for cell in (
            Cell(bracket(_gained(delta), delta.interval, decimals), _gained(delta), delta.interval),
            Cell(outcome(delta)),
        )
    ]
    half, full = each.trained
    return [
        Cell(each.full.title),
        *judged,
        Cell(f"{number(half.epochs, 1)} ({_share(half.epochs, full.epochs)})", half.epochs),
        Cell(f"{count(half.steps)} ({_share(half.steps, full.steps)})", half.steps),
    ]


def _share(half: float, full: float) -> str:
    return f"{number(100 * half / full if full else math.nan, 0)} %"


def _gained(delta: Delta) -> float:
    return delta.judged.mean if delta.judged else math.nan


def _decimals(found: Sequence[HalfPatience]) -> int:
    every = [delta for each in found for delta in (each.half, each.full)]
    return decimals_for((d.interval.half for d in every if d.interval), map(_gained, every), most=2)


def _raw(each: HalfPatience) -> dict[str, object]:
    half, full = each.trained
    row: dict[str, object] = {"problem": half.problem, "method": half.method, "engine": half.engine}
    for name, delta, trained in (("half", each.half, half), ("full", each.full, full)):
        interval = delta.interval
        row |= {
            f"{name}_gain": _gained(delta),
            f"{name}_gain_low": interval.low if interval else math.nan,
            f"{name}_gain_high": interval.high if interval else math.nan,
            f"{name}_outcome": delta.outcome,
            f"{name}_epochs": trained.epochs,
            f"{name}_steps": trained.steps,
        }
    return row | {"measure": each.full.measure or "delta_m", "unhalved": each.unhalved.trials, "of": each.unhalved.of}
