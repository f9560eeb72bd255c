"""What sections see: facts and trials with every column present, and the names in them in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ...core.judgement import Judgement
from ...core.parts import columns
from ...core.record import HALF_PATIENCE
from ...core.statuses import ENDED_WELL
from ...core.trial import CANDIDATE
from .shaped import shaped, stacked

EAGER = "eager"  # the engine that others are compared with
KEYS = ["problem", "method", "engine", "seed"]

_WORDS = ("trial", "kind", "problem", "method", "engine", "role", "point", "environment")
_RECORDS = {  # facts are many: what no section asks of them stands in the trials alone
    **dict.fromkeys((*_WORDS, "split", "task", "other", "metric", "unit"), ""),
    **dict.fromkeys(("baseline", "reference", "main"), False),
    **dict.fromkeys(("seed", "step"), 0),
    **dict.fromkeys(("value", "higher_is_better"), np.nan),
}
_TRIALS = {
    **dict.fromkeys((*_WORDS, "suite", *columns(), "choice", "part", "settings", "status", "error", "traceback"), ""),
    **dict.fromkeys(("tasks", "notes"), ()),
    **dict.fromkeys(("baseline", "reference", "apart", "exclusive"), False),
    "shared": True,
    **dict.fromkeys(("seed", "attempt", "peak_memory"), 0),
    "seconds": np.nan,
}


@dataclass(frozen=True)
class Task:
    """A task and the metric that ranks methods on it."""

    name: str
    metric: str
    unit: str
    higher: bool

    @property
    def title(self) -> str:
        """``digit accuracy [%]``."""
        return titled(f"{self.name} {self.metric}", self.unit)


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a frame as named tuples."""
    return iter(frame.itertuples(index=False))


def titled(name: str, unit: str) -> str:
    """A name with its unit, if it has one."""
    return f"{name} [{unit}]" if unit not in ("", "1") else name


def direction(metric: str, higher_is_better: float) -> bool | None:
    """Which way is better: True for higher, False for lower (always so for losses), None where it is not stated."""
    if math.isfinite(higher_is_better):
        return bool(higher_is_better)
    return False if metric == "loss" else None


@dataclass(frozen=True, eq=False)
class ReportData:
    """Facts of finished training trials, planned training trials, environments, and the suite.

    ``records`` and ``trials`` are those that represent their methods, ``reference_records`` and ``reference_trials``
    those of the references beside them, ``tried_records`` and ``tried`` those of other training (``core.trial``: role).
    What is asked of a method by its name may be asked of a reference, too. ``half_patience`` has what all of these say
    of half their patience (``core.record``), ``planned`` the planned trials of every kind except candidates,
    ``kernel_records`` the facts of finished kernel trials. Every column is present in every frame; missing words are
    "", missing and diverged numbers NaN, and a trial's tasks and notes tuples.
    """

    records: pd.DataFrame
    trials: pd.DataFrame
    environments: Mapping[str, Mapping[str, Any]]
    suite: Mapping[str, Any]
    reference_records: pd.DataFrame
    reference_trials: pd.DataFrame
    tried_records: pd.DataFrame
    tried: pd.DataFrame
    half_patience: pd.DataFrame
    planned: pd.DataFrame
    kernel_records: pd.DataFrame

    @classmethod
    def of(
        cls, records: pd.DataFrame, trials: pd.DataFrame, environments: Mapping[str, Any], suite: Mapping[str, Any]
    ) -> ReportData:
        """Complete the columns of the store's frames and sort their rows by what they are for."""
        facts, planned = shaped(records, _RECORDS, categories=True), shaped(trials, _TRIALS)
        facts = facts[facts["trial"].isin(planned.loc[planned["status"].isin(ENDED_WELL), "trial"])]
        found, trials = facts[facts["kind"] == "train"], planned[planned["kind"] == "train"]
        half_patience, found = (found[(found["split"] == HALF_PATIENCE) == halved] for halved in (True, False))
        return cls(
            found[(found["role"] == "") & ~found["reference"]].reset_index(drop=True),
            trials[(trials["role"] == "") & ~trials["reference"]].reset_index(drop=True),
            environments,
            suite,
            found[(found["role"] == "") & found["reference"]].reset_index(drop=True),
            trials[(trials["role"] == "") & trials["reference"]].reset_index(drop=True),
            found[found["role"] != ""].reset_index(drop=True),
            trials[trials["role"] != ""].reset_index(drop=True),
            half_patience.reset_index(drop=True),
            planned[planned["role"] != CANDIDATE].reset_index(drop=True),
            facts[facts["kind"] == "kernel"].reset_index(drop=True),
        )

    @cached_property
    def judgement(self) -> Judgement:
        """How the suite wants gains to be judged; the defaults for suites that do not say so."""
        return Judgement.from_plain({key: self.suite[key] for key in Judgement.model_fields if key in self.suite})

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """In the order of the plan."""
        return tuple(self.trials["problem"].unique())

    @cached_property
    def engines(self) -> tuple[str, ...]:
        """Eager first, then in the order of the plan."""
        planned = list(self.trials["engine"].unique())
        return tuple(sorted(planned, key=lambda engine: (engine != EAGER, planned.index(engine))))

    @cached_property
    def _baselines(self) -> dict[str, str]:
        single = self.trials[self.trials["baseline"]].drop_duplicates("problem")
        return dict(zip(single["problem"], single["method"], strict=True))

    def baseline(self, problem: str) -> str:
        """The single-task method of a problem, "" if there is none."""
        return self._baselines.get(problem, "")

    def matched(self, problem: str) -> str:
        """The baseline with as many parameters as the joint network, "" if there is none."""
        beside = self.reference_trials
        found = beside.loc[(beside["problem"] == problem) & beside["apart"], "method"]
        return str(found.iloc[0]) if len(found) else ""

    def joint(self, problem: str) -> bool:
        """Whether there is more than one task to train jointly."""
        return len(self.planned_tasks(problem)) > 1

    def planned_tasks(self, problem: str) -> tuple[str, ...]:
        """The names of all tasks of a problem that any method is planned for, in the order of the plan."""
        return _distinct(self.trials.loc[self.trials["problem"] == problem, "tasks"])

    def methods(self, problem: str) -> tuple[str, ...]:
        """The baseline first, then in the order of the plan."""
        planned = list(self.trials.loc[self.trials["problem"] == problem, "method"].unique())
        single = self.baseline(problem)
        return tuple(sorted(planned, key=lambda method: (method != single, planned.index(method))))

    def references(self, problem: str) -> tuple[str, ...]:
        """What stands beside the methods, in the order of the plan."""
        return tuple(self.reference_trials.loc[self.reference_trials["problem"] == problem, "method"].unique())

    @cached_property
    def standing(self) -> pd.DataFrame:
        """The trials of methods and of references."""
        return pd.concat([self.trials, self.reference_trials], ignore_index=True)

    @cached_property
    def _planned(self) -> dict[tuple[str, str], dict[str, int]]:
        counts = self.standing.groupby(["problem", "method", "engine"])["seed"].nunique()
        planned: dict[tuple[str, str], dict[str, int]] = {}
        for row in rows(counts.reset_index()):
            planned.setdefault((row.problem, row.method), {})[row.engine] = int(row.seed)
        return planned

    def engines_of(self, problem: str, method: str) -> tuple[str, ...]:
        """The engines that were planned for a method."""
        planned = self._planned[problem, method]
        return tuple(engine for engine in dict.fromkeys([*self.engines, *planned]) if engine in planned)

    def planned_seeds(self, problem: str, method: str, engine: str) -> int:
        """How many seeds were planned."""
        return self._planned[problem, method][engine]

    @cached_property
    def _main(self) -> pd.DataFrame:
        return _ranking(self.records)

    @cached_property
    def _tasks(self) -> dict[str, tuple[Task, ...]]:
        return {problem: self._tasks_of(problem) for problem in self.problems}

    def tasks(self, problem: str) -> tuple[Task, ...]:
        """Tasks with a test result, in the order of the plan, each with its main metric."""
        return self._tasks[problem]

    def _tasks_of(self, problem: str) -> tuple[Task, ...]:
        chosen = self._main[self._main["problem"] == problem].drop_duplicates("task")
        place = {name: i for i, name in enumerate(self.planned_tasks(problem))}
        tasks = [Task(row.task, row.metric, row.unit, bool(row.higher_is_better)) for row in rows(chosen)]
        return tuple(sorted(tasks, key=lambda task: place.get(task.name, len(place))))

    def targets(self, problem: str, method: str) -> tuple[Task, ...]:
        """The tasks that a method is planned for, with a test result: all of the problem's, or some of them."""
        return tuple(task for task in self.tasks(problem) if task.name in self._targets[problem, method])

    @cached_property
    def _targets(self) -> dict[tuple[str, str], tuple[str, ...]]:
        return {key: _distinct(trials["tasks"]) for key, trials in groups(self.standing, ["problem", "method"])}

    @cached_property
    def _scores(self) -> dict[tuple[str, str, str], pd.DataFrame]:
        metrics = {(problem, task.name): task.metric for problem in self.problems for task in self.tasks(problem)}
        main = stacked([self._main, _ranking(self.reference_records)])
        keys = zip(main["problem"], main["task"], main["metric"], strict=True)
        chosen = main[np.array([metrics.get(key[:2]) == key[2] for key in keys], dtype=bool)]
        scores: dict[tuple[str, str, str], pd.DataFrame] = {}
        for (problem, method, engine), group in groups(chosen, ["problem", "method", "engine"]):
            wide = group.groupby(["seed", "task"])["value"].mean().unstack("task")
            scores[problem, method, engine] = wide.reindex(columns=[task.name for task in self.tasks(problem)])
        return scores

    def scores(self, problem: str, method: str, engine: str) -> pd.DataFrame:
        """Main test metrics: one row per seed, one column per task in the order of ``tasks``."""
        empty = pd.DataFrame(index=pd.Index([], name="seed", dtype=int), dtype=float)
        scores = self._scores.get((problem, method, engine))
        return empty.reindex(columns=[task.name for task in self.tasks(problem)]) if scores is None else scores

    def baseline_scores(self, problem: str, engine: str) -> pd.DataFrame:
        """The single-task scores to compare an engine's with: of the same engine, or else of the first that has any."""
        single = self.baseline(problem)
        by_engine = [self.scores(problem, single, name) for name in (engine, *self.engines)]
        return next((scores for scores in by_engine if len(scores)), by_engine[0])

    def reference_means(self, method: str, problem: str, tasks: Sequence[Task]) -> np.ndarray | None:
        """The mean main test metrics [T] of a reference that stands beside the methods; None unless it has all."""
        facts = self.reference_records
        chosen = (
            (facts["method"] == method) & (facts["problem"] == problem) & facts["main"] & (facts["split"] == "test")
        )
        means = facts[chosen].groupby(["task", "metric"])["value"].mean()
        values = np.array([means.get((task.name, task.metric), np.nan) for task in tasks])
        return values if np.isfinite(values).all() else None


def groups(frame: pd.DataFrame, keys: list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Groups in the order of the frame; keys are tuples."""
    return iter(frame.groupby(keys, sort=False))


def _ranking(facts: pd.DataFrame) -> pd.DataFrame:
    """The main test metrics among some facts."""
    return facts[facts["main"] & (facts["split"] == "test") & (facts["task"] != "")]


def _distinct(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The names in these lists, each once, in the order in which they first occur."""
    return tuple(dict.fromkeys(name for names in lists for name in names))
