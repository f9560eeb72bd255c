"""Whether outcomes stand when everything is trained for longer: each as half the patience would have given it.

``earlier`` rebuilds the run, and ``deltas`` judges the outcome as it judges any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...core.convergence import SPARED
from .convergence import Convergence, convergences
from .deltas import Delta, Outcome
from .earlier import METHOD, TRIAL, Earlier, Key
from .frames import ReportData, groups

_DIRECTIONS: tuple[Outcome, ...] = ("better", "worse")
_FLAG = "the outcome is another with half the patience, so that it may be another yet when all are trained for longer"


class Unhalved(NamedTuple):
    """How many of the trainings behind an outcome half the patience would have ended no sooner, since a cap did."""

    trials: int
    of: int

    def __str__(self) -> str:
        return f"{self.trials:,} of {self.of:,}"

    @property
    def telling(self) -> bool:
        """Whether they are so many that the comparison says little."""
        return self.trials > SPARED * self.of


@dataclass(frozen=True)
class HalfPatience:
    """One method's outcome with half the patience, beside the one with all of it.

    half      as if everything had been trained with half the patience
    full      as it was
    trained   how long the method trained, with half and with all of the patience
    unhalved  of the trainings of method and baseline
    """

    half: Delta
    full: Delta
    trained: tuple[Convergence, Convergence]
    unhalved: Unhalved

    @property
    def differs(self) -> bool:
        """Whether half the patience gives another outcome."""
        return self.half.outcome != self.full.outcome

    @property
    def unsettled(self) -> bool:
        """Whether the outcomes differ and one of them is a direction."""
        return self.differs and any(each.outcome in _DIRECTIONS for each in (self.half, self.full))


def half_patience(
    data: ReportData,
    earlier: Earlier | None,
    half: Iterable[Delta],
    full: Iterable[Delta],
    trained: Iterable[Convergence],
) -> tuple[HalfPatience, ...]:
    """Every method whose trainings, and those of its baseline, all say what half the patience would have given; with
    the deltas of ``earlier`` and of the whole run.
    """
    if earlier is None:
        return ()
    after = {_key(each): each for each in trained}
    before = {_key(each): each for each in convergences(earlier.data)}
    halves = {_key(delta): delta for delta in half}
    unhalved = _unhalved(data)
    found = []
    for delta in full:
        key, needed = _key(delta), _needed(data, delta)
        if (
            delta.baseline
            or not delta.judged
            or key not in before
            or earlier.unknown & needed
            or not halves[key].judged
        ):
            continue
        behind = [trial for method in needed for trial in unhalved.get(method, ())]
        counted = Unhalved(sum(behind), len(behind))
        found.append(HalfPatience(halves[key], delta, (before[key], after[key]), counted))
    return tuple(found)


def with_doubt(full: Iterable[Delta], halves: Iterable[HalfPatience]) -> tuple[Delta, ...]:
    """The deltas, those flagged whose outcome depends on the patience."""
    doubted = {_key(each.full) for each in halves if each.unsettled}
    return tuple(replace(each, flags=(*each.flags, _FLAG)) if _key(each) in doubted else each for each in full)


def _key(each: Delta | Convergence) -> Key:
    return each.problem, each.method, each.engine


def _needed(data: ReportData, delta: Delta) -> set[Key]:
    """The method, and its baseline on any engine."""
    single = data.baseline(delta.problem)
    engines = data.engines_of(delta.problem, single) if single else ()
    return {_key(delta), *((delta.problem, single, engine) for engine in engines)}


def _unhalved(data: ReportData) -> dict[Key, list[bool]]:
    """Of every training that represents its method, whether half the patience would have ended it no sooner."""
    ends = [facts[facts["metric"] == "epochs"][[*TRIAL, "value"]] for facts in (data.half_patience, data.records)]
    both = ends[0].drop_duplicates().merge(ends[1][ends[1]["value"].notna()], on=TRIAL)
    return {key: (group["value_x"] == group["value_y"]).tolist() for key, group in groups(both, METHOD)}
