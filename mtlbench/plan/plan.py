"""What a suite would run: its trials, what is to be done about each and why, for how long, and what it could prove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.errors import SuiteError
from ..core.power import Power
from ..core.registry import look_beside
from ..core.sources import Manifest
from ..core.task import Outline
from ..core.trial import AFFINITY, TrainTrial, Trial
from ..store import Refused, Store, Stored
from ..suite.expand import expand, expand_kernels, seeds_on
from ..suite.reader import read_with_issues
from ..suite.references import left_out
from ..suite.suite import Suite
from .budgets import unequal_budgets
from .candidates import with_choices
from .capacity import with_capacity
from .caps import cap_notes
from .history import History, Planned
from .provenance import Provenance
from .reading import tables
from .selection import select
from .survey import survey


@dataclass(frozen=True)
class Row:
    """The trials of one problem, method and engine, or of one kernel on one device (in place of method and engine).

    ``seconds`` is one trial's, None without an earlier record.
    """

    problem: str
    method: str
    engine: str
    baseline: bool
    trials: int
    to_run: int
    states: dict[str, int]
    cpus: int
    gpus: float  # whole numbers, or a share of one
    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """A suite's trials and what is to be done about each."""

    suite: Suite
    planned: tuple[Planned, ...]
    history: History
    store: Store
    every: tuple[Trial, ...]  # all trials of the suite, whatever ``only`` says
    data_notes: tuple[str, ...]  # choices made for the user, such as inferred task types
    expanded: tuple[Trial, ...]  # those that follow from the suite alone: without what candidates chose
    only: str | None = None
    profile: str | None = None  # of the suite's, if one was chosen
    ran: frozenset[str] = frozenset()  # ids of trials that this run has tried already
    manifests: Mapping[str, Manifest] = field(default_factory=dict)  # what the trials' ``sources`` stand for
    accept_stale: bool = False  # results of other code count
    refused: tuple[Refused, ...] = ()  # files among the trials that are not believed

    def again(self, ran: Iterable[Trial] = ()) -> Plan:
        """The same plan, after another look at what is in the results folder, and after a wave of trials."""
        stored, refused = self.store.contents()
        history = History(stored, refused, self._manifest)
        every = tuple(with_choices(self.expanded, self._counted))
        if self.accept_stale:
            every = tuple(map(history.accepting, every))
        runnable = tuple(trial for trial in every if not trial.labels.waiting)
        planned = tuple(map(history.plan, select(self.only, runnable)))
        done = self.ran | {trial.id for trial in ran}
        return replace(self, planned=planned, history=history, every=every, ran=done, refused=refused)

    def _counted(self, trial: Trial) -> Stored | None:
        return self.store.find(trial.id) if self.accept_stale else self.store.current(trial)

    def _manifest(self, sources: str) -> Manifest:
        return self.manifests.get(sources) or self.store.manifest(sources)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the plan."""
        waiting = sum(trial.labels.waiting for trial in self.every)
        later = (f"{waiting} choices wait for their candidates; what they choose runs afterwards",) if waiting else ()
        caps = cap_notes(self.planned, self.history, self.profile)
        refused = tuple(f"{file.path} is not believed, and set aside by a run: {file.told}" for file in self.refused)
        return (*self.data_notes, *unequal_budgets(self.suite), *caps, *later, *refused)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The trials that ``only`` left in the plan."""
        return tuple(planned.trial for planned in self.planned)

    @cached_property
    def todo(self) -> tuple[Trial, ...]:
        """The trials that would run, each once, however many rows of a table it serves: alone on its machine, and with
        its trunk kept, if any of them asks for it.
        """
        by_id: dict[str, Trial] = {}
        for planned in self.planned:
            if planned.to_run and planned.id not in self.ran:
                trial = planned.trial
                first = by_id.setdefault(planned.id, trial)
                exclusive = first.labels.exclusive or trial.labels.exclusive
                keeps = first.labels.keeps_trunk or trial.labels.keeps_trunk
                by_id[planned.id] = first.labelled(exclusive=exclusive, keeps_trunk=keeps)
        return tuple(by_id.values())

    @cached_property
    def wave(self) -> tuple[Trial, ...]:
        """Those of them that wait for no other's trunk."""
        waited_for = {trial.id for trial in self.todo}
        return tuple(trial for trial in self.todo if trial.source not in waited_for)

    @cached_property
    def states(self) -> dict[str, int]:
        """How many trials are in each state."""
        return dict(Counter(planned.state for planned in self.planned))

    @property
    def root(self) -> Path:
        """The folder that the suite's relative paths start from; absolute, since workers may run elsewhere."""
        return self.suite.root.resolve()

    @cached_property
    def _attempts(self) -> dict[str, int]:
        return {planned.id: planned.attempts for planned in self.planned}

    def attempts(self, trial: Trial) -> int:
        """How often the trial was tried before."""
        return self._attempts[trial.id]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Counts by problem, method and engine, in the order of the suite."""
        groups: dict[tuple[str, str, str], list[Planned]] = {}
        for planned in self.planned:
            trial = planned.trial
            groups.setdefault((trial.problem_name, trial.labels.method, trial.way), []).append(planned)
        return tuple(self._row(*key, group) for key, group in groups.items())

    def _row(self, problem: str, method: str, engine: str, group: list[Planned]) -> Row:
        trial = group[0].trial
        times = [self.history.seconds(planned.trial) for planned in group]
        measured = [time for time in times if time is not None]
        return Row(
            problem,
            method,
            engine,
            trial.labels.baseline,
            trials=len(group),
            to_run=sum(planned.to_run for planned in group),
            states=dict(Counter(planned.state for planned in group)),
            cpus=trial.labels.resources["cpus"],
            gpus=trial.labels.resources["gpus"],
            seconds=sum(measured) / len(measured) if measured else None,
        )

    @cached_property
    def seconds(self) -> float:
        """Estimated time of the trials to run, one after another, from earlier records."""
        return sum(self.history.seconds(trial) or 0.0 for trial in self.todo)

    @cached_property
    def without_record(self) -> int:
        """How many trials to run have no earlier record to estimate their time from."""
        return sum(self.history.seconds(trial) is None for trial in self.todo)

    @property
    def power(self) -> Power:
        """What the whole suite could prove: methods on one engine are tested against the same baseline."""
        methods: dict[tuple[str, str], set[str]] = {}
        for trial in self.expanded:
            labels = trial.labels
            if (
                isinstance(trial, TrainTrial)
                and labels.role != AFFINITY
                and not (labels.baseline or labels.reference or labels.point)
            ):
                methods.setdefault((trial.problem_name, trial.way), set()).add(labels.method)
        corrected = self.suite.judgement.interval == "corrected"
        return Power(len(self.suite.seeds), max(map(len, methods.values()), default=0), corrected)

    def resolved(self) -> dict[str, Any]:
        """The suite with every default filled in."""
        return self.suite.resolved()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, for ``mtlbench plan --json``."""
        power = self.power
        return {
            "suite": self.suite.name,
            "trials": [_json(planned) for planned in self.planned],
            "states": self.states,
            "rows": [asdict(row) for row in self.rows],
            "seconds": self.seconds,
            "without_record": self.without_record,
            "power": {
                "seeds": power.seeds,
                "comparisons": power.comparisons,
                "smallest_p": power.smallest_p,
                "enough": power.enough,
                "seeds_needed": power.seeds_needed,
            },
            "notes": list(self.notes),
        }


def _json(planned: Planned) -> dict[str, Any]:
    trial = planned.trial
    return {
        "id": planned.id,
        "title": trial.title,
        "state": planned.state,
        "reason": planned.reason,
        "problem": trial.problem_name,
        "tasks": list(trial.tasks) if isinstance(trial, TrainTrial) else [],
        "method": trial.labels.method,
        "baseline": trial.labels.baseline,
        "engine": trial.engine if isinstance(trial, TrainTrial) else "",
        "seed": trial.seed,
        "exclusive": trial.labels.exclusive,
        **trial.labels.resources,
    }


def make_plan(
    path: Path,
    *,
    profile: str | None = None,
    seeds: int | None = None,
    only: str | None = None,
    out: Path | str | None = None,
    local: bool = True,
    accept_stale: bool = False,
) -> Plan:
    """Read a suite, look at its data and at what earlier runs left in its results folder; nothing starts.

    profile       one of the suite's profiles
    seeds         number of seeds, instead of the suite's
    only          part of a trial's title, or a pattern with ``*`` and ``?``; a method's includes its candidates
    out           results folder, instead of results/<suite>
    local         whether trials run on this machine, so that a missing GPU is a fault
    accept_stale  whether results count that other code made than the code of now

    Raises SuiteError with every fault of the file, and MtlbenchError where ``only`` matches nothing.
    """
    look_beside(path.resolve().parent, afresh=True)
    suite, issues = read_with_issues(path, tables=tables(), profile=profile, seeds=seeds)
    seen = survey(suite, local)
    if issues or seen.issues:
        raise SuiteError([*issues, *seen.issues])
    trained = expand(suite, seen.outlines, seen.digests, seen.trunks)
    expanded, sizes = with_capacity(suite, trained, seen.outlines)
    if suite.kernels:
        expanded += tuple(expand_kernels(suite, suite.kernels))
    made, manifests = Provenance(tables(), seen.outlines).of(expanded)
    store = Store(Path(out) if out else Path("results") / suite.name)
    notes = tuple(f"{name}: {note}" for name, outline in seen.outlines.items() for note in outline.notes)
    notes += (*left_out(suite, seen.outlines), *_points(suite, seen.outlines), *sizes)
    plan = Plan(suite, (), History(()), store, (), notes, made, only, profile)
    return replace(plan, manifests=manifests, accept_stale=accept_stale).again()


def _points(suite: Suite, outlines: Mapping[str, Outline]) -> Iterator[str]:
    """What the scalarization frontier adds to each problem."""
    for problem in suite.frontier.uniform.problems if suite.frontier else ():
        outline = outlines[problem.name]
        if suite.frontier and len(outline.names) > 1:
            yield suite.frontier.note(problem.name, outline.names, len(tuple(seeds_on(suite, outline))))
