"""What holds back a claim that a method lies beyond the scalarization frontier, or behind it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from ...core.wording import plural
from .convergence import Convergence, undertrained_points
from .frames import ReportData
from .frontier import Frontier, Position
from .tunings import Tuning


def with_held(
    data: ReportData, found: Iterable[Frontier], trained: Collection[Convergence], tuned: Collection[Tuning]
) -> tuple[Frontier, ...]:
    """The frontiers, with what else than a method may explain where it lies: beyond, that points are missing, were
    undertrained, or could choose from fewer candidates than the method; behind, that the method was undertrained, or
    could choose from fewer candidates than each point. None of these could explain the other side.
    """
    return tuple(_with_held(data, frontier, trained, tuned) for frontier in found)


def _with_held(
    data: ReportData, frontier: Frontier, trained: Collection[Convergence], tuned: Collection[Tuning]
) -> Frontier:
    frontier = replace(frontier, undertrained=undertrained_points(data, frontier.problem, frontier.seeds))
    of_points = next((t.budget for t in tuned if t.points and t.problem == frontier.problem), 1)
    positions = []
    for position in frontier.positions:
        key = (frontier.problem, position.place.name, position.engine)
        own = next((t.budget for t in tuned if not t.points and (t.problem, t.method, t.engine) == key), 1)
        mine = next((each for each in trained if (each.problem, each.method, each.engine) == key), None)
        reasons = {"beyond": _beyond(frontier, own, of_points), "behind": _behind(frontier, mine, own, of_points)}
        positions.append(_held(position, reasons))
    return replace(frontier, positions=tuple(positions))


def _held(position: Position, reasons: dict[str, Iterator[str]]) -> Position:
    return replace(position, held=tuple(reasons.get(position.claimed, ())))


def _beyond(frontier: Frontier, own: int, of_points: int) -> Iterator[str]:
    if frontier.left_out:
        yield f"{plural(len(frontier.left_out), 'point')} of the frontier missing, which might lie ahead of it"
    if frontier.undertrained.telling:
        yield f"{frontier.undertrained} trials of the points were undertrained, which alone may be why it is beyond"
    if own > of_points:
        yield f"it chose from {plural(own, 'candidate')}, each point from {of_points}"


def _behind(frontier: Frontier, trained: Convergence | None, own: int, of_points: int) -> Iterator[str]:
    if trained and (cut := trained.undertrained(frontier.seeds)).telling:
        yield f"{cut} of its trials were undertrained, which alone may be why it is behind"
    if own < of_points:
        yield f"it chose from {plural(own, 'candidate')}, each point from {of_points}"
