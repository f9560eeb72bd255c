"""The score by which epochs stop and candidates are chosen: validation losses relative to where training began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from statistics import fmean
from typing import NamedTuple, Protocol

Losses = Mapping[str, float]  # by task


class Fact(Protocol):
    """What is needed of a ``core.record.Record`` or of a row of a data frame."""

    @property
    def split(self) -> str:
        """ "validation", "test" …"""

    @property
    def task(self) -> str:
        """The task's name."""

    @property
    def metric(self) -> str:
        """ "loss" …"""

    @property
    def value(self) -> float:
        """Its value."""

    @property
    def step(self) -> int:
        """The epoch."""


class Tried(NamedTuple):
    """One candidate's trial: what it takes, which part of the training split it left out, and its facts (none where it
    failed).
    """

    choice: str
    part: str
    facts: Sequence[Fact]


def relative_score(losses: Losses, first: Losses) -> float:
    """mean_t L_t / first_t, lower being better; infinite where no task has a positive first loss.

    ``first`` holds the losses at the initial weights: free of units, and with the same denominators for all methods.
    """
    score = fmean([losses.get(name, inf) / loss for name, loss in first.items() if loss > 0] or [inf])
    return score if isfinite(score) else inf


def candidate_scores(tried: Iterable[Tried]) -> dict[str, float]:
    """Each choice's mean over its parts of ``relative_score``, infinite where one of them failed.

    The denominators of a part are the first losses of the first of its trials that did not fail; of a learner without
    losses at initial weights, those that it ended with.
    """
    begun: dict[str, Losses] = {}
    scores: dict[str, list[float]] = {}
    for choice, part, facts in tried:
        best = _validation(facts, max((fact.step for fact in facts if fact.split == "test"), default=0))
        first = begun.setdefault(part, _validation(facts, 0) or best) if facts else {}
        scores.setdefault(choice, []).append(relative_score(best, first))
    return {choice: fmean(values) for choice, values in scores.items()}


def _validation(facts: Iterable[Fact], step: int) -> Losses:
    return {f.task: f.value for f in facts if f.split == "validation" and f.metric == "loss" and f.step == step}
