"""The run as half the patience would have left it: its results in the place of those of all of it.

A training passes the moment at which half its patience would have ended it, and leaves as facts what it would have been
tested with then (``core.record.HALF_PATIENCE``). These take the place of its results, and tuning chooses again by the
validation scores of then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from ...core.score import Tried, candidate_scores
from ...core.trial import CANDIDATE, FRONTIER
from .frames import ReportData, groups, rows
from .shaped import FactsByTrial, chosen, stacked

METHOD = ["problem", "method", "engine"]
TRIAL = [*METHOD, "trial"]  # two methods that train alike share a trial
Key = tuple[Any, ...]  # of METHOD

_REPLACED = ("epochs", "steps", "train_seconds")  # facts of the whole trial that half the patience changes
_SLOT = [*METHOD, "point", "tasks", "seed"]  # where one choice is made


@dataclass(frozen=True, eq=False)
class Earlier:
    """What half the patience would have left.

    unknown  the methods, references, and points of the frontier of which that is not known
    """

    data: ReportData
    unknown: frozenset[Key]


def at_half_patience(data: ReportData) -> Earlier | None:
    """The same run as half the patience would have left it; None where no training says."""
    if data.half_patience.empty:
        return None
    every = (data.records, data.reference_records, data.tried_records)
    # Curves of training, most of all facts, have no say in any outcome.
    records = stacked([facts[(facts["split"] != "train") | (facts["task"] == "")] for facts in every])
    trials = pd.concat([data.trials, data.reference_trials, data.tried], ignore_index=True)
    known = records["trial"].isin(data.half_patience["trial"])
    whole = (records["split"] == "") & records["metric"].isin(_REPLACED)
    silent = records[~known & whole & (records["metric"] == "epochs") & records["role"].isin(["", CANDIDATE, FRONTIER])]
    kept = records[~(known & (whole | (records["split"] == "test")))]
    now = data.half_patience
    now = now.assign(split=chosen((now["task"] != "").to_numpy().astype("int8"), ["", "test"]))
    facts, trials, folded = _chosen_again(stacked([kept, now]), trials)
    unknown = {key for key, _ in groups(silent, METHOD)} | folded
    return Earlier(ReportData.of(facts, trials, data.environments, data.suite), frozenset(unknown))


def _chosen_again(facts: pd.DataFrame, trials: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, set[Key]]:
    """With the candidates in the place of the trials, of methods and of the frontier's points, that validation chooses
    now; and the methods that would have to train for it, since their candidates left out parts of the training split.
    """
    told = facts[(facts["role"] == CANDIDATE) & (facts["metric"] == "loss") & (facts["split"] != "train")]
    losses = FactsByTrial(told)
    finals = {key: group.index[0] for key, group in groups(trials[trials["role"].isin(["", FRONTIER])], _SLOT)}
    taken: dict[int, int] = {}  # rows of trials
    folded: set[Key] = set()
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
    finals = trials.loc[list(taken)]
    before, now = (pd.MultiIndex.from_frame(trials.loc[list(each), TRIAL]) for each in (taken, taken.values()))
    roles = dict(zip(now, finals["role"], strict=True))
    of_trial = pd.MultiIndex.from_frame(facts[TRIAL])
    tried = facts["role"] == CANDIDATE
    left = facts[tried | ~of_trial.isin(before)]
    taking = tried & of_trial.isin(now)
    words = ["", FRONTIER]
    places = [words.index(roles[trial]) for trial in of_trial[taking]]
    new = facts[taking].assign(role=chosen(np.array(places, np.int8), words))
    swapped = trials.loc[[taken.get(row, row) for row in trials.index]].reset_index(drop=True)
    swapped.loc[list(taken), "role"] = finals["role"]
    return stacked([left, new]), swapped
