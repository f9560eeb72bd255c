"""Linear scalarization against every method: what fixed weights of the tasks reach, and who gets beyond it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ...core.power import FEWEST
from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.frontier import Frontier, Place, Position, Standing
from ..evidence.half_claims import THE_FRONTIER
from ..evidence.overlap import UNKNOWN
from ..evidence.statistics import Interval
from ..writing.figures import BAD, GOOD, INK, QUIET, SERIES, UNCLEAR, WIDTH, draw, place_labels, shortened
from ..writing.format import NOTHING, bracket, decimals_for, number, p_value
from ..writing.parts import Cell, Column, Figure, Panel, Part, Statement, Table, Tone, file_names
from .half_patience import doubt

_METHODS = (
    "Distance: how far the method lies from the mixtures of the frontier's points, in percent of single-task values "
    "and on every task at once; positive beyond them, negative behind them (additive epsilon indicator, Zitzler et "
    "al. 2003), on test means, to the points that are not dominated on the validation split. In brackets a 95 % "
    "interval that holds all points against the method, and whose task preference and mixture were chosen on the "
    "validation splits of the other seeds. p: exact sign-flip test, Holm-corrected over the methods of the problem. "
    "Standing: by p, where seeds suffice for one, and by intervals that are simultaneous for these methods "
    "(Bonferroni); on the frontier is one of its points, or what such an interval places within the smallest effect of "
    "interest. Hypervolume: by how much the method enlarges that of the non-dominated points (Zitzler and Thiele 1999) "
    "on test means, with a 95 % jackknife interval over seeds; the reference lies a tenth of the points' range below "
    "the worst point of each task. It is never negative, and grows where a method fills a gap between two points: it "
    "decides nothing."
)
_CORRECTED = " Intervals allow for the overlap of the seeds' training sets, and p is of the corrected resampled t test."
_POINTS = (
    "Main test metric of every task, trained with these fixed weights, against single-task training: gain in percent, "
    "positive is better, mean over seeds with its 95 % interval. Frontier: no other point is better on one task and as "
    "good on all others, on the validation split (mean over seeds); the test split has no say."
)
_WORDS: dict[Standing, str] = {
    "beyond": "beyond it: {}",
    "on": "on it (one of its points, or within the smallest effect of interest): {}",
    "behind": "behind it: {}",
    "held": "no verdict yet: {}",
    "undecided": "undecided: {}",
    "few": "without an interval: {}",
}
_TINTS = {"beyond": GOOD, "behind": BAD}
_MOST_IN_FIGURE, _MOST_COLUMNS, _MOST_LABELLED = 3, 8, 14


def section(evidence: Evidence) -> Part | None:
    """One statement, one panel for methods, one for points, and up to three tasks one figure per problem."""
    found = [frontier for frontier in evidence.frontiers if frontier.points]
    if not found:
        return None
    judged = [frontier for frontier in found if any(not j.reason for j in frontier.positions)]
    methods = pd.DataFrame([row for frontier in found for row in _raw_methods(frontier)])
    points = pd.DataFrame([row for frontier in found for row in _raw_points(frontier)])
    tables = [Table("frontier_points", "Points of the frontier", _POINTS, points, tuple(map(_points, found)))]
    if judged:
        caption = _METHODS + (_CORRECTED if any(frontier.correction for frontier in judged) else "")
        tables.insert(0, Table("frontier", "Methods against it", caption, methods, tuple(map(_methods, judged))))
    drawn = [frontier for frontier in found if len(frontier.tasks) <= _MOST_IN_FIGURE]
    names = file_names([frontier.problem for frontier in drawn], "frontier")
    figures = tuple(_figure(names[frontier.problem], frontier) for frontier in drawn)
    doubts = (Statement(text, "warning") for frontier in found for text in _doubts(frontier))
    said = (*doubts, *(Statement(_volume(frontier)) for frontier in found if math.isfinite(frontier.filled.value)))
    return Part("frontier", "The scalarization frontier", said, tuple(tables), figures)


def statements(evidence: Evidence) -> list[Statement]:
    """Who gets beyond the frontier of each problem."""
    return [
        _verdict(frontier, _budget(evidence, frontier), doubt(evidence, THE_FRONTIER, frontier.problem))
        for frontier in evidence.frontiers
    ]


def _budget(evidence: Evidence, frontier: Frontier) -> str:
    """How its points were tuned."""
    tuned = next((each for each in evidence.tunings if each.points and each.problem == frontier.problem), None)
    return f", each tuned over {plural(tuned.budget, 'candidate')}" if tuned else ", none of them tuned"


def _verdict(frontier: Frontier, budget: str, doubts: list[str]) -> Statement:
    name = f"the scalarization frontier of {frontier.problem}"
    if frontier.reason:
        return Statement(f"Nothing can be said about {name}: {frontier.reason}.", "warning")
    judged = [position for position in frontier.positions if not position.reason]
    if not judged:
        return Statement(f"No method can be judged against {name}.", "warning")
    groups = {word: [j for j in judged if j.standing == word] for word in _WORDS}
    if len(groups["few"]) == len(judged):
        seeds = max(position.seeds for position in judged)
        text = f"Too few seeds to judge methods against {name}: {plural(seeds, 'seed')}, at least {FEWEST} are needed."
        return Statement(text, "unclear")
    count, beyond = len(judged), len(groups["beyond"])
    text = f"On {frontier.problem}, {beyond or 'none'} of {plural(count, 'method')} {'lies' if beyond < 2 else 'lie'} "
    tone: Tone = "good" if beyond else "unclear" if groups["undecided"] or groups["held"] else "plain"
    points = tuple(words.format(_listed(groups[word], judged)) for word, words in _WORDS.items() if groups[word])
    text += f"beyond the scalarization frontier of {plural(len(frontier.points), 'fixed weighting')}{budget}."
    return Statement(text, tone, (*points, *doubts))


def _listed(group: list[Position], like: list[Position]) -> str:
    decimals = _decimals(like)
    ordered = sorted(group, key=lambda position: -position.distance)
    return listing((f"{j.place.name} {bracket(j.distance, j.interval, decimals)} %{_because(j)}" for j in ordered), 4)


def _because(j: Position) -> str:
    return f" ({'; '.join(j.held)})" if j.standing == "held" else ""


def _decimals(judged: list[Position]) -> int:
    halves = (j.interval.half for j in judged if j.interval)
    return decimals_for(halves, (j.distance for j in judged), most=2)


def _doubts(frontier: Frontier) -> Iterator[str]:
    """What to mind about a frontier."""
    if frontier.left_out:
        which = listing(frontier.left_out, 4)
        yield f"On {frontier.problem} points of the frontier that lack a seed are left out: {which}."
    if frontier.undertrained.telling:
        yield f"On {frontier.problem}, {frontier.undertrained} trials of the frontier's points were undertrained."
    if math.isnan(frontier.overlap):
        yield f"On {frontier.problem}: {UNKNOWN}."
    for reason in dict.fromkeys(j.reason for j in frontier.positions if j.reason):
        which = listing((j.place.name for j in frontier.positions if j.reason == reason), 6)
        yield f"On {frontier.problem} not judged against the frontier: {which}: {reason}."


def _volume(frontier: Frontier) -> str:
    """What the points reach together."""
    named = zip(frontier.tasks, frontier.reference, strict=True)
    reference = listing((f"{task.name} {number(value, 1, sign=True)} %" for task, value in named), 4)
    share = bracket(frontier.filled.value, frontier.filled.interval, 1, sign=False)
    text = f"On {frontier.problem} the frontier fills {share} % of the box between the reference of its hypervolume "
    return f"{text}({reference} against single-task training) and the best value of its points on every task."


def _raw_methods(frontier: Frontier) -> Iterator[dict[str, object]]:
    for j in frontier.positions:
        yield {
            "problem": frontier.problem,
            "method": j.place.name,
            "engine": j.engine,
            "seeds": j.seeds,
            "distance": j.distance,
            "low": j.interval.low if j.interval else math.nan,
            "high": j.interval.high if j.interval else math.nan,
            "p": j.p,
            "p_holm": j.p_holm,
            "can_be_significant": j.testable,
            "hypervolume_gain": j.volume.value,
            "hypervolume_low": j.volume.interval.low if j.volume.interval else math.nan,
            "hypervolume_high": j.volume.interval.high if j.volume.interval else math.nan,
            "standing": j.standing,
            "notes": j.reason or "; ".join(j.held),
        }


def _raw_points(frontier: Frontier) -> Iterator[dict[str, object]]:
    for point in frontier.points:
        for task, gain, interval in zip(frontier.tasks, point.gains, point.intervals, strict=True):
            yield {
                "problem": frontier.problem,
                "engine": frontier.engine,
                "weights": point.name,
                "task": task.name,
                "gain": gain,
                "low": interval.low if interval else math.nan,
                "high": interval.high if interval else math.nan,
                "non_dominated": point.non_dominated,
                "seeds": len(frontier.seeds),
            }


def _methods(frontier: Frontier) -> Panel:
    columns = (
        Column("method", number=False),
        Column("distance [%]", higher=True),
        Column("hypervolume [%]"),
        Column("seeds"),
        Column("p (Holm)"),
        Column("standing", number=False),
    )
    judged = sorted((j for j in frontier.positions if not j.reason), key=lambda j: -j.distance)
    decimals = _decimals(judged)
    halves = (j.volume.interval.half for j in judged if j.volume.interval)
    volumes = decimals_for(halves, (j.volume.value for j in judged), most=1)
    rows = tuple(
        (
            Cell(j.place.name),
            Cell(bracket(j.distance, j.interval, decimals), j.distance, j.interval),
            Cell(bracket(j.volume.value, j.volume.interval, volumes), j.volume.value, j.volume.interval),
            Cell(str(j.seeds), j.seeds),
            Cell(p_value(j.p_holm), j.p_holm) if j.testable else Cell(NOTHING),
            Cell(NOTHING if j.standing == "few" else j.standing),
        )
        for j in judged
    )
    return Panel(frontier.problem, columns, rows)


def _points(frontier: Frontier) -> Panel:
    shown = frontier.tasks[:_MOST_COLUMNS]
    columns = (
        Column("weights", number=False),
        Column("mean [%]", higher=True),
        *(Column(f"{task.name} [%]", higher=True) for task in shown),
        Column("frontier", number=False),
    )
    halves = [i.half for point in frontier.points for i in point.intervals if i]
    decimals = decimals_for(halves, (gain for point in frontier.points for gain in point.gains), most=2)
    rows = tuple(
        (
            Cell(point.name),
            Cell(number(_mean(point), decimals, sign=True), _mean(point)),
            *(_gain(point, t, decimals) for t in range(len(shown))),
            Cell("yes" if point.non_dominated else "no"),
        )
        for point in frontier.points
    )
    return Panel(frontier.problem, columns, rows)


def _mean(point: Place) -> float:
    return sum(point.gains) / len(point.gains)


def _gain(point: Place, task: int, decimals: int) -> Cell:
    gain, interval = point.gains[task], point.intervals[task]
    return Cell(bracket(gain, interval, decimals), gain, interval)


def _figure(name: str, frontier: Frontier) -> Figure:
    pairs = list(combinations(range(len(frontier.tasks)), 2))
    title = f"Gains over single-task training on {frontier.problem}, test split, with 95 % intervals: fixed weights "
    title += "(dots; hollow where others are better on the validation split) and methods (squares)"
    best = (point.name for point in frontier.best)
    alt = f"{plural(len(frontier.points), 'fixed weighting')}; not dominated: {listing(best, 12)}. Methods: "
    alt += listing((f"{j.place.name} {j.standing}" for j in frontier.positions if not j.reason), 40)
    size = (WIDTH * (0.62 if len(pairs) == 1 else 1), 4.6 if len(pairs) == 1 else 3.6)
    return draw(name, title, alt, size, lambda canvas: _paint(canvas, frontier, pairs))


def _paint(canvas: Canvas, frontier: Frontier, pairs: list[tuple[int, int]]) -> None:
    grid = canvas.subplots(1, len(pairs), squeeze=False)[0]
    judged = [position for position in frontier.positions if not position.reason]
    for axes, (i, j) in zip(grid, pairs, strict=True):
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.axvline(0, color=INK, linewidth=0.8)
        best = sorted(frontier.best, key=lambda point: (point.gains[i], -point.gains[j]))
        if len(pairs) == 1:  # of three tasks the frontier is a surface
            axes.plot([p.gains[i] for p in best], [p.gains[j] for p in best], color=SERIES[0], linewidth=1, alpha=0.6)
        for point in frontier.points:
            _mark(axes, point, (i, j), SERIES[0], "o", hollow=not point.non_dominated)
        for position in judged:
            _mark(axes, position.place, (i, j), _TINTS.get(position.standing, UNCLEAR), "s")
        axes.set_xlabel(f"{shortened(frontier.tasks[i].name, 24)} [%]", color=QUIET)
        axes.set_ylabel(f"{shortened(frontier.tasks[j].name, 24)} [%]", color=QUIET)
        axes.margins(x=0.12, y=0.12)
    grid[0].set_title(shortened(frontier.problem, 60))
    for axes, (i, j) in zip(grid, pairs, strict=True):
        labels = [(j_.place.gains[i], j_.place.gains[j], shortened(j_.place.name, 16)) for j_ in judged]
        place_labels(canvas, axes, labels if len(labels) <= _MOST_LABELLED else [], set())


def _mark(axes: Axes, place: Place, pair: tuple[int, int], tint: str, marker: str, hollow: bool = False) -> None:
    (x, y), (across, upright) = ([place.gains[t] for t in pair], [place.intervals[t] for t in pair])
    _whisker(axes, across, [y, y], tint, along_x=True)
    _whisker(axes, upright, [x, x], tint, along_x=False)
    face = "none" if hollow else tint
    axes.plot([x], [y], marker, color=tint, markersize=5, markerfacecolor=face, markeredgewidth=0.9)


def _whisker(axes: Axes, interval: Interval | None, at: list[float], tint: str, along_x: bool) -> None:
    if interval is not None:
        ends = [interval.low, interval.high]
        axes.plot(*((ends, at) if along_x else (at, ends)), color=tint, linewidth=0.8, alpha=0.35)
