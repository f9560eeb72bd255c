"""Whether outcomes stand when everything is trained for longer: each rebuilt as half the patience would have given it.

A training passes the moment at which half its patience would have ended it, and leaves as facts what it would have been
tested with then (``core.record.HALF_PATIENCE``). These take the place of its results, tuning chooses again by the
validation scores of then, and ``deltas`` judges the outcome as it judges any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any, NamedTuple

import pandas as pd

from ...core.convergence import SPARED
from ...core.score import Tried, candidate_scores
from ...core.trial import CANDIDATE
from .convergence import Convergence, convergences, with_held
from .deltas import Delta, Outcome, deltas
from .frames import ReportData, groups, rows
from .shaped import FactsByTrial, chosen, said, stacked

_REPLACED = ("epochs", "steps", "train_seconds")  # facts of the whole trial that half the patience changes
_METHOD = ["problem", "method", "engine"]
_SLOT = [*_METHOD, "tasks", "seed"]  # where one choice is made
_TRIAL = [*_METHOD, "trial"]  # two methods that train alike share a trial
_DIRECTIONS: tuple[Outcome, ...] = ("better", "worse")
_FLAG = "the outcome is another with half the patience, so that it may be another yet when all are trained for longer"
_Key = tuple[Any, ...]  # of _METHOD


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


def half_patience(data: ReportData, full: Iterable[Delta], trained: Iterable[Convergence]) -> tuple[HalfPatience, ...]:
    """Every method whose trainings, and those of its baseline, all say what half the patience would have given."""
    if data.half_patience.empty:
        return ()
    earlier, unknown = at_half_patience(data)
    after = {_key(each): each for each in trained}
    before = {_key(each): each for each in convergences(earlier)}
    halves = {_key(delta): delta for delta in with_held(data, deltas(earlier), tuple(after.values()))}
    unhalved = _unhalved(data)
    found = []
    for delta in full:
        key, needed = _key(delta), _needed(data, delta)
        if delta.baseline or not delta.judged or key not in before or unknown & needed or not halves[key].judged:
            continue
        behind = [trial for method in needed for trial in unhalved.get(method, ())]
        counted = Unhalved(sum(behind), len(behind))
        found.append(HalfPatience(halves[key], delta, (before[key], after[key]), counted))
    return tuple(found)


def with_doubt(full: Iterable[Delta], halves: Iterable[HalfPatience]) -> tuple[Delta, ...]:
    """The deltas, those flagged whose outcome depends on the patience."""
    doubted = {_key(each.full) for each in halves if each.unsettled}
    return tuple(replace(each, flags=(*each.flags, _FLAG)) if _key(each) in doubted else each for each in full)


def _key(each: Delta | Convergence) -> _Key:
    return each.problem, each.method, each.engine


def _needed(data: ReportData, delta: Delta) -> set[_Key]:
    """The method, and its baseline on any engine."""
    single = data.baseline(delta.problem)
    engines = data.engines_of(delta.problem, single) if single else ()
    return {_key(delta), *((delta.problem, single, engine) for engine in engines)}


def _unhalved(data: ReportData) -> dict[_Key, list[bool]]:
    """Of every training that represents its method, whether half the patience would have ended it no sooner."""
    ends = [facts[facts["metric"] == "epochs"][[*_TRIAL, "value"]] for facts in (data.half_patience, data.records)]
    both = ends[0].drop_duplicates().merge(ends[1][ends[1]["value"].notna()], on=_TRIAL)
    return {key: (group["value_x"] == group["value_y"]).tolist() for key, group in groups(both, _METHOD)}


def at_half_patience(data: ReportData) -> tuple[ReportData, set[_Key]]:
    """The same run as half the patience would have left it, and the methods of which that is not known."""
    every = (data.records, data.reference_records, data.tried_records)
    records = stacked([facts[facts["split"] != "train"] for facts in every])  # curves have no say in outcomes
    trials = pd.concat([data.trials, data.reference_trials, data.tried], ignore_index=True)
    known = records["trial"].isin(data.half_patience["trial"])
    whole = (records["split"] == "") & records["metric"].isin(_REPLACED)
    silent = records[~known & whole & (records["metric"] == "epochs") & records["role"].isin(["", CANDIDATE])]
    kept = records[~(known & (whole | (records["split"] == "test")))]
    now = data.half_patience
    now = now.assign(split=chosen((now["task"] != "").to_numpy().astype("int8"), ["", "test"]))
    facts, trials, folded = _chosen_again(stacked([kept, now]), trials)
    unknown = {key for key, _ in groups(silent, _METHOD)} | folded
    return ReportData.of(facts, trials, data.environments, data.suite), unknown


def _chosen_again(facts: pd.DataFrame, trials: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, set[_Key]]:
    """With the candidates in the place of methods' trials that validation chooses now; and the methods that would have
    to train for it, since their candidates left out parts of the training split.
    """
    told = facts[(facts["role"] == CANDIDATE) & (facts["metric"] == "loss") & (facts["split"] != "train")]
    losses = FactsByTrial(told)
    finals = {key: group.index[0] for key, group in groups(trials[trials["role"] == ""], _SLOT)}
    taken: dict[int, int] = {}  # rows of trials
    folded: set[_Key] = set()
    for key, tried in groups(trials[trials["role"] == CANDIDATE], _SLOT):
        if key not in finals or not trials.loc[finals[key], "choice"]:
            continue
        folds = bool((tried["part"] != "").any())
        by = "choice" if folds else "trial"  # without folds, the trial that is chosen is the candidate itself
        best = _best(tried, by, losses)
        if best in ("", trials.loc[finals[key], by]):
            continue
        if folds:
            folded.add(key[:3])
        else:
            taken[finals[key]] = tried.index[tried["trial"] == best][0]
    return *_taken(facts, trials, taken), folded


def _best(tried: pd.DataFrame, by: str, losses: FactsByTrial) -> str:
    """The choice, or the trial, with the best score; "" where none has one."""
    scores = candidate_scores(
        Tried(name, row.part, losses.of(row.trial)) for name, row in zip(tried[by], rows(tried), strict=True)
    )
    best = min(scores, key=lambda name: scores[name])
    return best if scores[best] < inf else ""


def _taken(facts: pd.DataFrame, trials: pd.DataFrame, taken: Mapping[int, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Facts and trials with rows of trials replaced by others, which take their role."""
    if not taken:
        return facts, trials
    before, now = (pd.MultiIndex.from_frame(trials.loc[list(each), _TRIAL]) for each in (taken, taken.values()))
    of_trial = pd.MultiIndex.from_frame(facts[_TRIAL])
    left = facts[~(of_trial.isin(before) & (facts["role"] == ""))]
    new = facts[of_trial.isin(now) & (facts["role"] == CANDIDATE)]
    new = new.assign(role=said(new, ""))
    swapped = trials.loc[[taken.get(row, row) for row in trials.index]].reset_index(drop=True)
    swapped.loc[list(taken), "role"] = ""
    return stacked([left, new]), swapped
