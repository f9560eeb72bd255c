"""``--only``: the trials of a suite whose titles match a pattern, and what those need."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..core.errors import MtlbenchError
from ..core.trial import Trial
from .candidates import titles


def select(pattern: str | None, trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """The trials whose titles match, with the candidates of those that are chosen and what they start from.

    ``pattern`` is part of a title, or has ``*`` and ``?``; None selects every trial. Raises MtlbenchError where it
    matches nothing.
    """
    if pattern is None:
        return trials
    literal = pattern.replace("[", "[[]")  # titles hold brackets of their own
    chosen = tuple(
        trial for trial in trials if any(pattern in title or fnmatchcase(title, literal) for title in titles(trial))
    )
    if not chosen:
        nearest = ", ".join(_nearest(pattern, (trial.title for trial in trials)))
        raise MtlbenchError(
            f"--only '{pattern}': expected part of a trial's title, or a pattern with * and ?, got one that matches "
            f"none of {len(trials)} trials; the nearest are {nearest}"
        )
    return _with_sources(chosen, trials)


def _with_sources(chosen: tuple[Trial, ...], every: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """The chosen trials, and before them those whose trunks they start from."""
    by_id = {trial.id: trial for trial in every if trial.labels.keeps_trunk}
    needed = list(chosen)
    for trial in needed:  # which grows on the way
        source = by_id.get(trial.source)
        if source is not None and all(source.id != other.id for other in needed):
            needed.append(source)
    return (*needed[len(chosen) :], *chosen)


def _nearest(pattern: str, titles: Iterable[str]) -> list[str]:
    """The three titles that share most with a pattern."""
    shared = difflib.SequenceMatcher(b=pattern, autojunk=False)

    def likeness(title: str) -> int:
        shared.set_seq1(title)
        return -sum(block.size for block in shared.get_matching_blocks())

    return sorted(titles, key=likeness)[:3]
