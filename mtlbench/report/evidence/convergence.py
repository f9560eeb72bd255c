"""How long every method trained, how many of its trials were cut short, and which outcomes that alone may explain."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from ...core.convergence import SPARED, TOTALS, Ending, ending
from ...core.settings import Train
from ...core.trial import FRONTIER
from .deltas import Delta
from .frames import ReportData, groups, rows
from .shaped import FactsByTrial, stacked


class Trained(NamedTuple):
    """One finished trial."""

    seed: int
    tasks: tuple[str, ...]
    ending: Ending


class Undertrained(NamedTuple):
    """How many trials were undertrained, of those whose validation losses can say."""

    trials: int
    judged: int

    def __str__(self) -> str:
        return f"{self.trials:,} of {self.judged:,}"

    @property
    def telling(self) -> bool:
        """Whether they are so many that they may explain a result (``core.convergence``)."""
        return self.trials > SPARED * self.judged


NO_TRIALS = Undertrained(0, 0)


@dataclass(frozen=True)
class Convergence:
    """The finished trials of one method, or reference, on one problem with one engine; none for a learner without
    epochs.

    apart   whether each trains one task alone: those of the baseline, and of the one of equal size
    longer  how to let trainings with its settings go on (``core.settings``)
    """

    problem: str
    method: str
    engine: str
    baseline: bool
    apart: bool
    longer: str
    trained: tuple[Trained, ...]

    def undertrained(self, seeds: Collection[int] | None = None, tasks: Collection[str] = ()) -> Undertrained:
        """Of all trials, or of those of some seeds and of some tasks."""
        chosen = [
            trial.ending.undertrained
            for trial in self.trained
            if (seeds is None or trial.seed in seeds) and (not tasks or set(tasks) & set(trial.tasks))
        ]
        return Undertrained(chosen.count(True), len(chosen) - chosen.count(None))

    @property
    def epochs(self) -> float:
        """Mean over trials."""
        return fmean(trial.ending.epochs for trial in self.trained)

    @property
    def best_epoch(self) -> float:
        """The epoch whose weights were kept, mean over trials."""
        return fmean(trial.ending.kept for trial in self.trained)

    @property
    def steps(self) -> float:
        """Steps of the optimizer for all tasks, mean over seeds; the baseline's are a sum over tasks."""
        return fmean(trial.ending.steps for trial in self.trained) * len({trial.tasks for trial in self.trained})


def convergences(data: ReportData) -> tuple[Convergence, ...]:
    """Every problem, method and engine with a trial that trained by epochs, the baseline first, references last."""
    told = stacked([_of_endings(facts) for facts in (data.records, data.reference_records)])
    endings = {trial: found for trial, found in _endings(told, data.standing) if found}
    trials = data.standing[data.standing["trial"].isin(list(endings))]
    by_key = dict(groups(trials, ["problem", "method", "engine"]))
    return tuple(
        Convergence(
            *key,
            method == data.baseline(problem),
            bool(found["apart"].iloc[0] or found["baseline"].iloc[0]),
            _train(found["settings"].iloc[0]).longer,
            tuple(Trained(row.seed, row.tasks, endings[row.trial]) for row in rows(found)),
        )
        for problem in data.problems
        for method in (*data.methods(problem), *data.references(problem))
        for engine in data.engines_of(problem, method)
        if (found := by_key.get(key := (problem, method, engine))) is not None
    )


def _train(settings: str) -> Train:
    return Train.of_trial(json.loads(settings or "{}").get("train") or {})


def undertrained_points(data: ReportData, problem: str, seeds: Collection[int]) -> Undertrained:
    """Of the trials of the scalarization frontier's points on some seeds."""
    mine = (data.tried["role"] == FRONTIER) & (data.tried["problem"] == problem) & data.tried["seed"].isin(list(seeds))
    trials, facts = data.tried[mine], data.tried_records[data.tried_records["role"] == FRONTIER]
    facts = facts[facts["trial"].isin(trials["trial"])]
    cut = [found.undertrained for _, found in _endings(_of_endings(facts), trials) if found]
    return Undertrained(cut.count(True), len(cut) - cut.count(None))


def _of_endings(facts: pd.DataFrame) -> pd.DataFrame:
    """What says how trainings ended."""
    return facts[facts["metric"].isin(["loss", *TOTALS]) & (facts["split"] != "train")]


def _endings(told: pd.DataFrame, trials: pd.DataFrame) -> Iterable[tuple[str, Ending | None]]:
    settings = dict(zip(trials["trial"], trials["settings"], strict=True))
    facts = FactsByTrial(told)
    for trial in facts:
        train = json.loads(settings.get(trial) or "{}").get("train", {})
        yield trial, ending(train, facts.of(trial))


def with_held(data: ReportData, deltas: Iterable[Delta], found: Collection[Convergence]) -> tuple[Delta, ...]:
    """The deltas, with what holds back their outcome (``why_held``)."""
    by_key = {(each.problem, each.method, each.engine): each for each in found}

    def held(delta: Delta) -> tuple[str, ...]:
        single = [(delta.problem, data.baseline(delta.problem), engine) for engine in (delta.engine, *data.engines)]
        theirs = next((by_key[key] for key in single if key in by_key), None)
        own = by_key.get((delta.problem, delta.method, delta.engine))
        return why_held(delta.outcome, own, theirs, delta.seeds, delta.tasks)

    plain = (replace(delta, held=()) for delta in deltas)
    return tuple(delta if delta.baseline else replace(delta, held=held(delta)) for delta in plain)


def why_held(
    outcome: str,
    own: Convergence | None,
    other: Convergence | None,
    seeds: Collection[int] | None = None,
    tasks: Collection[str] = (),
) -> tuple[str, ...]:
    """What alone may explain how a method compares with another, so that nothing is claimed: a method that is worse may
    owe it to its own undertrained trials, one that is better to the other's, one that is practically equal to either's.
    """
    at_fault = {"worse": [own], "better": [other], "equal": [own, other]}.get(outcome, [])
    word = "practically equal" if outcome == "equal" else outcome
    said = []
    for each in at_fault:
        cut = each.undertrained(seeds, tasks) if each else Undertrained(0, 0)
        if each and cut.telling:
            kind = "" if each is own else "single-task " if each.apart else f"{each.method} "
            why = f"{cut} {kind}trials were undertrained, which alone may be why it is {word}"
            said.append(f"{why}; train longer: {each.longer}")
    return tuple(said)
