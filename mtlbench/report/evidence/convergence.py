"""How long every method trained, how many of its trials were cut short, and which outcomes that alone may explain."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

import pandas as pd

from ...core.convergence import SPARED, TOTALS, Ending, ending
from ...core.trial import FRONTIER
from .deltas import Delta
from .frames import ReportData, groups, rows


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
    """The finished trials of one method on one problem with one engine; none for a learner without epochs."""

    problem: str
    method: str
    engine: str
    baseline: bool
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
    """Every problem, method and engine with a trial that trained by epochs, the baseline first."""
    endings = {trial: found for trial, found in _endings(data.records, data.trials) if found}
    trials = data.trials[data.trials["trial"].isin(list(endings))]
    by_key = {
        key: tuple(Trained(row.seed, row.tasks, endings[row.trial]) for row in rows(group))
        for key, group in groups(trials, ["problem", "method", "engine"])
    }
    return tuple(
        Convergence(*key, method == data.baseline(problem), by_key[key])
        for problem in data.problems
        for method in data.methods(problem)
        for engine in data.engines_of(problem, method)
        if (key := (problem, method, engine)) in by_key
    )


def undertrained_points(data: ReportData, problem: str, seeds: Collection[int]) -> Undertrained:
    """Of the trials of the scalarization frontier's points on some seeds."""
    mine = (data.tried["role"] == FRONTIER) & (data.tried["problem"] == problem) & data.tried["seed"].isin(list(seeds))
    trials, facts = data.tried[mine], data.tried_records[data.tried_records["role"] == FRONTIER]
    facts = facts[facts["trial"].isin(trials["trial"])]
    cut = [found.undertrained for _, found in _endings(facts, trials) if found]
    return Undertrained(cut.count(True), len(cut) - cut.count(None))


def _endings(records: pd.DataFrame, trials: pd.DataFrame) -> Iterable[tuple[str, Ending | None]]:
    told = records[records["metric"].isin(["loss", *TOTALS])]
    facts = {trial: group for (trial,), group in groups(told[told["split"] != "train"], ["trial"])}
    settings = dict(zip(trials["trial"], trials["settings"], strict=True))
    for trial, group in facts.items():
        train = json.loads(settings.get(trial) or "{}").get("train", {})
        yield trial, ending(train, rows(group))


def with_held(data: ReportData, deltas: Iterable[Delta], found: Collection[Convergence]) -> tuple[Delta, ...]:
    """The deltas, with what holds back their direction: a method that does worse than the baseline may owe it to its
    own undertrained trials, one that does better to those of the baseline, and neither to the other's.
    """
    by_key = {(each.problem, each.method, each.engine): each for each in found}

    def held(delta: Delta) -> tuple[str, ...]:
        single = [(delta.problem, data.baseline(delta.problem), engine) for engine in (delta.engine, *data.engines)]
        own = [(delta.problem, delta.method, delta.engine)]
        whose, word, kind = (
            (single, "better", "single-task ") if delta.judged and delta.judged.mean > 0 else (own, "worse", "")
        )
        at_fault = next((by_key[key] for key in whose if key in by_key), None)
        cut = at_fault.undertrained(delta.seeds, delta.tasks) if at_fault else Undertrained(0, 0)
        return (f"{cut} {kind}trials were undertrained, which alone may be why it is {word}",) if cut.telling else ()

    return tuple(replace(delta, held=held(delta)) if delta.judged else delta for delta in deltas)
