"""What was tried for each method before it was compared, and what was chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from ...core.score import Tried, candidate_scores
from ...core.trial import CANDIDATE
from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.frames import ReportData, groups, rows
from ..writing.format import number
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table

_CAPTION = (
    "Score: validation losses relative to those at the initial weights, mean over tasks, folds and seeds; lower is "
    "better. Chosen: how many of the choices (one a seed, and a task for single-task training) took it. Every choice "
    "was made by the validation split or the folds of its own seed; test splits had no say."
)
_COLUMNS = (
    Column("method", number=False),
    Column("engine", number=False),
    Column("tried", number=False),
    Column("score", higher=False),
    Column("chosen"),
    Column("failed"),
)


@dataclass(frozen=True)
class _Candidate:
    """One value of one method: its mean score, and how often it was chosen, of how many times, and failed."""

    problem: str
    method: str
    engine: str
    choice: str
    score: float
    chosen: int
    choices: int
    failed: int


def section(evidence: Evidence) -> Part | None:
    """One panel a problem, one row a candidate."""
    found = list(_candidates(evidence.data))
    if not found:
        return None
    panels = tuple(_panel(problem, [c for c in found if c.problem == problem]) for problem in _problems(found))
    table = Table("tuning", "Candidates", _CAPTION, pd.DataFrame([vars(c) for c in found]), panels)
    budgets = [_budget(evidence.data, problem, found) for problem in _problems(found)]
    edges = [s for problem in _problems(found) for s in _edges(problem, [c for c in found if c.problem == problem])]
    return Part("tuning", "Tuning", (*budgets, *edges), (table,))


def _problems(found: list[_Candidate]) -> list[str]:
    return list(dict.fromkeys(candidate.problem for candidate in found))


def _candidates(data: ReportData) -> Iterator[_Candidate]:
    tried = data.tried[data.tried["role"] == CANDIDATE]
    facts = {trial: list(rows(group)) for (trial,), group in groups(data.tried_records, ["trial"])}
    for (problem, method, engine), group in groups(tried, ["problem", "method", "engine"]):
        own = data.trials[["problem", "method", "engine"]].eq([problem, method, engine]).all(axis=1)
        chosen = data.trials.loc[own, "choice"].value_counts()
        scores: dict[str, list[float]] = {choice: [] for choice in group["choice"]}
        for _, slot in groups(group, ["tasks", "seed"]):
            trials = [Tried(row.choice, row.part, facts.get(row.trial, [])) for row in rows(slot)]
            for choice, score in candidate_scores(trials).items():
                scores[choice].append(score)
        for choice, values in scores.items():
            failed = int((group["status"][group["choice"] == choice] == "failed").sum())
            known = [value for value in values if math.isfinite(value)]
            score = fmean(known) if known else math.nan
            times = int(chosen.get(choice, 0))
            yield _Candidate(problem, method, engine, choice, score, times, len(values), failed)


def _panel(problem: str, found: list[_Candidate]) -> Panel:
    cells = []
    for candidate in found:
        words = (candidate.method, candidate.engine, candidate.choice)
        cells.append((
            *map(Cell, words),
            Cell(number(candidate.score, 4), candidate.score),
            Cell(f"{candidate.chosen} of {candidate.choices}", candidate.chosen),
            Cell(str(candidate.failed), candidate.failed),
        ))  # fmt: skip
    return Panel(problem, _COLUMNS, tuple(cells))


def _budget(data: ReportData, problem: str, found: list[_Candidate]) -> Statement:
    """Whether every method could choose from equally many candidates."""
    counts = dict.fromkeys(data.methods(problem), 1)  # one that did not choose had one
    for method in dict.fromkeys(candidate.method for candidate in found if candidate.problem == problem):
        mine = [c for c in found if (c.problem, c.method) == (problem, method)]
        counts[method] = len(mine) // len({candidate.engine for candidate in mine})
    if len(set(counts.values())) == 1:
        return Statement(
            f"On {problem} every method, the baseline too, chose from {plural(counts.popitem()[1], 'candidate')}."
        )
    each = listing((f"{method} from {count}" for method, count in counts.items()), 12)
    return Statement(f"On {problem} methods chose from unequally many candidates: {each}.", "warning")


def _edges(problem: str, found: list[_Candidate]) -> Iterator[Statement]:
    """Methods of which most choices are the least or the largest number that was tried."""
    of_method: dict[tuple[str, str], list[_Candidate]] = {}
    for candidate in found:
        of_method.setdefault((candidate.method, candidate.engine), []).append(candidate)
    outermost = {}
    for (method, _), mine in of_method.items():
        values = {value: candidate for candidate in mine if (value := _number(candidate.choice)) is not None}
        ends = [values[min(values)], values[max(values)]] if len(values) == len(mine) else []
        for candidate in ends:
            if 2 * candidate.chosen > candidate.choices:
                outermost[method] = f"{method} ({candidate.choice})"
    if outermost:
        which = listing(outermost.values(), 12)
        text = f"On {problem} most choices were at an end of what was tried, and beyond it may be better: {which}."
        yield Statement(text, "warning")


def _number(choice: str) -> float | None:
    """The number that a choice gives to one key; None for any other choice."""
    try:
        return float(choice.partition("=")[2])
    except ValueError:
        return None
