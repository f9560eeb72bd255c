"""What was tried for each method before it was compared, what was chosen, and whether that was enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.tunings import OUTER, STILL, Tuning
from ..writing.format import number, short
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table, file_names, panel_of
from .tuning_figure import figure

_CANDIDATES = (
    "Score: validation losses relative to those at the initial weights, mean over tasks, folds and seeds; lower is "
    "better. Chosen: how many of the choices (one per seed, and per task for single-task training, or per point of the "
    "scalarization frontier) took it. Every "
    "choice was made by the validation split or the folds of its own seed; test splits had no say."
)
_EFFORT = (
    "Gain: by how much the best validation score of the whole budget is below that of the first candidate, and below "
    "the best of the first three quarters, as means over choices; only where points were spread over ranges, since a "
    "list has no such order. Tuning time is the sum over all candidates, seeds, tasks, folds and points; what equal "
    "weights and the frontier's uniform point share was trained once and stands in both rows."
)
_SHORT = 24  # rows of candidates that a page shows without folding them away
_COLUMNS = (
    Column("method", number=False),
    Column("engine", number=False),
    Column("tried", number=False),
    Column("score", higher=False),
    Column("chosen"),
    Column("failed"),
)


def section(evidence: Evidence) -> Part | None:
    """How much each method was tuned and what that gained, every candidate, and the best score so far."""
    by_problem: dict[str, list[Tuning]] = {}
    for tuning in evidence.tunings:
        by_problem.setdefault(tuning.problem, []).append(tuning)
    if not by_problem:
        return None
    names = file_names(by_problem, "tuning")
    drawn = (figure(evidence, names[problem], problem, made) for problem, made in by_problem.items())
    statements = (s for problem, made in by_problem.items() for s in _statements(evidence, problem, made))
    return Part(
        "tuning",
        "Tuning",
        tuple(statements),
        (_effort(by_problem), _candidates(by_problem)),
        tuple(picture for picture in drawn if picture),
    )


def _effort(by_problem: dict[str, list[Tuning]]) -> Table:
    columns = [Column("method", number=False), Column("engine", number=False), Column("candidates")]
    columns += [Column("gain over the first [%]"), Column("in the last quarter [%]"), Column("tuning [s]")]
    panels, raw = [], []
    for problem, made in by_problem.items():
        cells = []
        for tuning in made:
            gain = 100 * (1 - tuning.curve[-1]) if tuning.search and len(tuning.curve) else float("nan")
            late = 100 * tuning.late_gain if tuning.search else float("nan")
            raw.append((problem, tuning.method, tuning.engine, tuning.budget, gain, late, tuning.seconds))
            numbers = (Cell(number(gain, 1), gain), Cell(number(late, 1), late))
            words = (Cell(tuning.title), Cell(tuning.engine), Cell(str(tuning.budget), tuning.budget))
            cells.append((*words, *numbers, Cell(short(tuning.seconds), tuning.seconds)))
        panels.append(panel_of(problem, columns, cells))
    frame = pd.DataFrame(raw, columns=["problem", "method", "engine", "candidates", "gain", "late_gain", "seconds"])
    return Table("tuning_effort", "Tuning of each method", _EFFORT, frame, tuple(panels))


def _candidates(by_problem: dict[str, list[Tuning]]) -> Table:
    raw = pd.DataFrame([row for made in by_problem.values() for tuning in made for row in _raw(tuning)])
    panels = tuple(_panel(problem, made) for problem, made in by_problem.items())
    long = any(len(panel.rows) > _SHORT for panel in panels)
    shown, folded = ((), panels) if long else (panels, ())
    return Table("tuning", "Candidates", _CANDIDATES, raw, shown, folded, "every candidate" if long else "")


def _raw(tuning: Tuning) -> Iterator[dict[str, object]]:
    for choice, score, failed in zip(tuning.choices, tuning.mean_scores, tuning.failed, strict=True):
        yield {
            "problem": tuning.problem,
            "method": tuning.method,
            "engine": tuning.engine,
            "choice": choice,
            "score": score,
            "chosen": tuning.chosen.count(choice),
            "choices": len(tuning.scores),
            "failed": failed,
        }


def _panel(problem: str, made: Sequence[Tuning]) -> Panel:
    cells = []
    for tuning in made:
        for choice, score, failed in zip(tuning.choices, tuning.mean_scores, tuning.failed, strict=True):
            chosen = tuning.chosen.count(choice)
            cells.append((
                *map(Cell, (tuning.title, tuning.engine, choice)),
                Cell(number(score, 4), score),
                Cell(f"{chosen} of {len(tuning.scores)}", chosen),
                Cell(str(failed), failed),
            ))  # fmt: skip
    return Panel(problem, _COLUMNS, tuple(cells))


def _statements(evidence: Evidence, problem: str, made: Sequence[Tuning]) -> Iterator[Statement]:
    yield _budget(evidence, problem, made)
    yield from _still_falling(problem, made)
    yield from _edges(problem, made)


def _budget(evidence: Evidence, problem: str, made: Sequence[Tuning]) -> Statement:
    """Whether every method, and every point of the frontier, could choose from equally many candidates."""
    budgets = {tuning.method: tuning.budget for tuning in made}
    trials, tried = evidence.data.trials, evidence.data.tried
    points = tried.loc[(tried["problem"] == problem) & (tried["point"] != ""), "method"].unique()
    without = set(trials.loc[trials["optimizer"] == "", "method"])  # their learners have no such settings
    counts = {
        method: budgets.get(method, 1)  # one that did not choose had one
        for method in (*evidence.data.methods(problem), *points)
        if method in budgets or method not in without
    }
    if len(set(counts.values())) == 1:
        too = "the baseline and the points of the frontier" if len(points) else "the baseline"
        return Statement(
            f"On {problem} every method, {too} too, chose from {plural(counts.popitem()[1], 'candidate')}."
        )
    each = listing((f"{method} from {count}" for method, count in counts.items()), 12)
    return Statement(f"On {problem} methods chose from unequally many candidates: {each}.", "warning")


def _still_falling(problem: str, made: Sequence[Tuning]) -> Iterator[Statement]:
    """Methods that a larger budget might serve better."""
    late = [f"{t.method} ({number(100 * t.late_gain, 1)} %)" for t in made if t.search and t.falling]
    if late:
        text = (
            f"On {problem} the budget is too small for {listing(late, 12)}: the last quarter of the candidates still "
        )
        text += f"lowered the best validation score by more than {100 * STILL:g} %. A larger budget adds trials only."
        yield Statement(text, "warning")


def _edges(problem: str, made: Sequence[Tuning]) -> Iterator[Statement]:
    """Methods whose choice is mostly at an end of a range, or the smallest or the largest number of a list."""
    outermost = {
        tuning.method: f"{tuning.method} ({', '.join(ends)})"
        for tuning in made
        if (ends := [f"{key}: {end} end" for key, end in tuning.ends()] if tuning.search else _outermost(tuning))
    }
    if outermost:
        which = listing(outermost.values(), 12)
        text = f"On {problem} most choices were at an end of what was tried, and beyond it may be better: {which}."
        if any(tuning.search for tuning in made):
            text += f" An end is the outer {100 * OUTER:g} % of a range."
        yield Statement(text, "warning")


def _outermost(tuning: Tuning) -> list[str]:
    """The smallest or the largest number of a single list, if most choices took it."""
    values = {value: choice for choice in tuning.choices if (value := _number(choice)) is not None}
    if len(values) < tuning.budget:
        return []
    ends = (values[min(values)], values[max(values)])
    return [choice for choice in ends if 2 * tuning.chosen.count(choice) > len(tuning.scores)]


def _number(choice: str) -> float | None:
    """The number that a choice gives to a single key; None for any other choice."""
    try:
        return float(choice.partition("=")[2])
    except ValueError:
        return None
