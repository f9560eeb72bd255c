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
    "better. Chosen: how many of the choices (one per seed, and per task for single-task training) took it. Every "
    "choice was made by the validation split or the folds of its own seed; test splits had no say."
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
    """One candidate of one method: its mean score, how often it was chosen, out of how many choices, and how often it
    failed.
    """

    problem: str
    method: str
    engine: str
    choice: str
    score: float
    chosen: int
    choices: int
    failed: int


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, one row per candidate."""
    candidates = list(_candidates(evidence.data))
    if not candidates:
        return None
    panels = tuple(
        _panel(problem, [c for c in candidates if c.problem == problem]) for problem in _problems(candidates)
    )
    table = Table("tuning", "Candidates", _CAPTION, pd.DataFrame([vars(c) for c in candidates]), panels)
    budgets = [_budget(evidence.data, problem, candidates) for problem in _problems(candidates)]
    edges = [
        s for problem in _problems(candidates) for s in _edges(problem, [c for c in candidates if c.problem == problem])
    ]
    return Part("tuning", "Tuning", (*budgets, *edges), (table,))


def _problems(candidates: list[_Candidate]) -> list[str]:
    return list(dict.fromkeys(candidate.problem for candidate in candidates))


def _candidates(data: ReportData) -> Iterator[_Candidate]:
    tried = data.tried[data.tried["role"] == CANDIDATE]
    facts = {trial: list(rows(group)) for (trial,), group in groups(data.tried_records, ["trial"])}
    for (problem, method, engine), group in groups(tried, ["problem", "method", "engine"]):
        same = data.trials[["problem", "method", "engine"]].eq([problem, method, engine]).all(axis=1)
        chosen = data.trials.loc[same, "choice"].value_counts()
        scores: dict[str, list[float]] = {choice: [] for choice in group["choice"]}
        for _, slot in groups(group, ["tasks", "seed"]):
            trials = [Tried(row.choice, row.part, facts.get(row.trial, [])) for row in rows(slot)]
            for choice, score in candidate_scores(trials).items():
                scores[choice].append(score)
        for choice, values in scores.items():
            failed = int((group["status"][group["choice"] == choice] == "failed").sum())
            finite = [value for value in values if math.isfinite(value)]
            score = fmean(finite) if finite else math.nan
            times = int(chosen.get(choice, 0))
            yield _Candidate(problem, method, engine, choice, score, times, len(values), failed)


def _panel(problem: str, candidates: list[_Candidate]) -> Panel:
    cells = []
    for candidate in candidates:
        words = (candidate.method, candidate.engine, candidate.choice)
        cells.append((
            *map(Cell, words),
            Cell(number(candidate.score, 4), candidate.score),
            Cell(f"{candidate.chosen} of {candidate.choices}", candidate.chosen),
            Cell(str(candidate.failed), candidate.failed),
        ))  # fmt: skip
    return Panel(problem, _COLUMNS, tuple(cells))


def _budget(data: ReportData, problem: str, candidates: list[_Candidate]) -> Statement:
    """Whether every method could choose from equally many candidates."""
    counts = dict.fromkeys(data.methods(problem), 1)  # one that did not choose had one
    for method in dict.fromkeys(candidate.method for candidate in candidates if candidate.problem == problem):
        mine = [c for c in candidates if (c.problem, c.method) == (problem, method)]
        counts[method] = len(mine) // len({candidate.engine for candidate in mine})
    if len(set(counts.values())) == 1:
        return Statement(
            f"On {problem} every method, the baseline too, chose from {plural(counts.popitem()[1], 'candidate')}."
        )
    each = listing((f"{method} from {count}" for method, count in counts.items()), 12)
    return Statement(f"On {problem} methods chose from unequally many candidates: {each}.", "warning")


def _edges(problem: str, candidates: list[_Candidate]) -> Iterator[Statement]:
    """Methods whose choice is mostly the smallest or the largest number tried."""
    of_method: dict[tuple[str, str], list[_Candidate]] = {}
    for candidate in candidates:
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
    """The number that a choice gives to a single key; None for any other choice."""
    try:
        return float(choice.partition("=")[2])
    except ValueError:
        return None
