"""The second wave of a run: what the candidates' validation splits chose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import TypeGuard

from ..core.score import Tried, candidate_scores
from ..core.trial import CANDIDATE, FRONTIER, TrainTrial, Trial
from .history import PastTrial

_UNSCORED = (
    "tune chooses by the validation split, and no candidate has a score there: give the problem a validation split, or "
    "leave tune out"
)
Find = Callable[[Trial], PastTrial | None]  # the result that counts of a trial


def titles(trial: Trial) -> tuple[str, ...]:
    """What a trial is called, and for a candidate what its method's trial will be called."""
    return (trial.title, _final(trial).title) if _is_candidate(trial) else (trial.title,)


def _is_candidate(trial: Trial) -> TypeGuard[TrainTrial]:
    return isinstance(trial, TrainTrial) and trial.labels.role == CANDIDATE


def _final(candidate: TrainTrial) -> TrainTrial:
    """A candidate as its method's trial, or its point's of the frontier, on the whole training split."""
    return replace(candidate, fold=(0, 0)).labelled(role=FRONTIER if candidate.labels.point else "")


def with_choices(trials: Iterable[Trial], find: Find) -> Iterator[Trial]:
    """The trials and, after each group of candidates, the trial that it chose; until all of it has run, one that waits
    (``Labels.waiting``) and takes what the first of them takes.

    A group is what one seed (and task, for the baseline) tries for one method, or one point of the frontier, on one
    engine. Its choice has the lowest of ``core.score.candidate_scores``, the first among equals; test splits have no
    say. One that failed or diverged is never chosen; where all did, or none has a score, the group's trial counts as
    failed (``Labels.unchosen``). Without folds the chosen trial is the candidate itself under its method's name, so
    that it has run already.
    """
    group: list[TrainTrial] = []
    for trial in trials:
        if group and not (_is_candidate(trial) and _slot(trial) == _slot(group[0])):
            yield from _chosen(group, find)
            group = []
        yield trial
        if _is_candidate(trial):
            group.append(trial)
    yield from _chosen(group, find)


def _slot(trial: TrainTrial) -> tuple[object, ...]:
    return (trial.problem_name, trial.labels.method, trial.labels.point, trial.tasks, trial.engine, trial.seed)


def _chosen(group: Sequence[TrainTrial], find: Find) -> Iterator[Trial]:
    """The final trial of a group."""
    if not group:
        return
    stored_by_id = {trial.id: find(trial) for trial in group}
    results = {identity: stored.result for identity, stored in stored_by_id.items() if stored}
    if len(results) < len(stored_by_id):
        yield _final(group[0]).labelled(choice="", waiting=True)
        return
    finals = [_final(trial) for trial in group]  # whose identities tell candidates apart; their labels are shortened
    scores = candidate_scores(
        Tried(final.id, trial.part, results[trial.id].records if results[trial.id].ok else ())
        for trial, final in zip(group, finals, strict=True)
    )
    best = min(scores, key=lambda identity: scores[identity])
    final = next(final for final in finals if final.id == best)
    if scores[best] < inf:
        yield final
        return
    first = next((result.error for result in results.values() if not result.ok), "no validation score")
    why = f"all {len(scores)} candidates failed, the first with: {first}"
    folded = any(trial.fold[1] for trial in group)
    unscored = not folded and any(result.ok for result in results.values())
    yield final.labelled(choice="", unchosen=_UNSCORED if unscored else why)
