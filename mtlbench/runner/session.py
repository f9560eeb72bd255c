"""One `mtlbench run`: plan, schedule, keep every result, report."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Generator, Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..core.record import Result
from ..core.statuses import ENDED_BADLY, FAILED, MISSING
from ..core.trial import CANDIDATE, Trial
from ..measure.environment import versions
from ..plan.plan import Plan, make_plan
from ..store import Store
from .agreement import Expected
from .events import Event, ExpectedOf, Finished, Started, TrunkOf
from .shipping import shipment, travels, within_job

if TYPE_CHECKING:
    import pandas as pd

    from ..report.assemble import Report

Executor = Literal["ray", "serial", "job"]
Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Run:
    """What a run left behind. ``records`` holds one row per fact, ``tables`` one data frame per table."""

    folder: Path
    records: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    report: Report
    failed: dict[str, Result] = field(default_factory=dict)  # by the trial's title
    missing: tuple[str, ...] = ()  # trials of the suite that have not run yet

    @property
    def ok(self) -> bool:
        """Whether every trial of the suite has run, and none failed."""
        return not self.failed and not self.missing


@contextlib.contextmanager
def _silent(plan: Plan) -> Iterator[Listener]:
    yield lambda event: None


def run(
    suite: Path | str,
    *,
    profile: str | None = None,
    seeds: int | None = None,
    only: str | None = None,
    out: Path | str | None = None,
    executor: Executor = "ray",
    address: str | None = None,
    max_parallel: int | None = None,
    ship: bool | None = None,
    accept_stale: bool = False,
    display: Callable[[Plan], contextlib.AbstractContextManager[Listener]] = _silent,
    ask: Callable[[str], bool] = lambda question: False,
) -> Run:
    """Run a suite: only what is missing, changed or failed before; then write tables and report.

    suite         path of the suite file
    profile       one of the suite's profiles
    seeds         number of seeds, instead of the suite's
    only          pattern on trial titles
    out           results folder, instead of results/<suite>
    executor      "ray"; "serial" for this process; "job" for a cluster that this machine is no part of (``ray_job``)
    address       a Ray cluster to join ("auto" for the one this machine belongs to), or of its dashboard
    max_parallel  most trials at once
    ship          whether the suite's files are sent to the nodes of the cluster, which then need no copy; None sends
                  them where ``address`` is not this machine
    accept_stale  whether results count that other code made than the code of now
    ask           of a job: answers whether it should stop, too, when this process is interrupted

    Raises SuiteError for a faulty suite, UnavailableError for missing machines. A trial that fails does not raise: see
    ``Run.failed``. KeyboardInterrupt leaves every finished trial on disk.
    """
    plan = make_plan(
        Path(suite), profile=profile, seeds=seeds, only=only, out=out, local=address is None, accept_stale=accept_stale
    )
    place, store = _Place(executor, address, max_parallel, ship, ask), plan.store
    with store.lock():
        store.set_aside()
        store.keep_sources(plan.manifests.values())
        plan = plan.again()  # another run may have ended in between
        command = _command(suite, profile=profile, seeds=seeds, only=only, accept_stale=accept_stale or None)
        while True:  # again where candidates were tried, for what they chose, and where trunks were trained
            store.write_index(plan.every, plan.resolved(), command, plan.root, profile or "")
            events = _events(plan, place, command)
            with display(plan) as listener, contextlib.closing(events):
                for event in events:
                    if isinstance(event, Finished):
                        store.write(event.trial, event.result, event.trunk)
                    listener(event)
            before, plan = plan, plan.again(plan.wave)
            if not plan.todo and plan.every == before.every:
                break
        return report_again(store.folder)


def _command(suite: Path | str, **options: object) -> str:
    """The command line that asks for the same trials."""
    given = {f"--{name.replace('_', '-')}": value for name, value in options.items() if value is not None}
    chosen = [name if value is True else f"{name} {shlex.quote(str(value))}" for name, value in given.items()]
    return " ".join(["mtlbench run", shlex.quote(Path(suite).name), *chosen])


@dataclass(frozen=True)
class _Place:
    """Where trials run, as the arguments of ``run`` say."""

    executor: Executor
    address: str | None
    max_parallel: int | None
    ship: bool | None
    ask: Callable[[str], bool]


def _events(plan: Plan, place: _Place, command: str) -> Generator[Event, None, None]:
    if place.executor == "job":
        from .ray_job import run_as_job

        if plan.wave:
            yield from run_as_job(plan, command, place.address or "http://127.0.0.1:8265", place.ask)
        return
    waiting = [trial for trial in plan.wave if trial.source]
    lacking = [trial for trial in waiting if not plan.store.trunk_path(trial.source).exists()]
    for trial in lacking:
        yield Started(trial)
        yield Finished(trial, _without_trunk(trial, plan))
    # Seed by seed, so that a run that is stopped early still compares methods on equal seeds.
    able = [trial for trial in plan.wave if trial not in lacking]
    trials = sorted(able, key=lambda trial: (not trial.labels.exclusive, trial.seed))
    attempts = {trial.id: plan.attempts(trial) for trial in trials}
    trunks, expected = _trunks_in(plan.store), _planned_with(plan)
    if place.executor == "serial":
        from .serial_scheduler import run_serially

        yield from run_serially(trials, plan.root, attempts, trunks, expected)
    elif trials:
        from .ray_scheduler import run_on_ray

        with shipment(plan) if travels(place.address, place.ship) else contextlib.nullcontext() as sent:
            root, folder = (sent.root, sent.folder) if sent else (within_job(plan.root), None)
            yield from run_on_ray(trials, root, attempts, trunks, expected, place.address, place.max_parallel, folder)


def _trunks_in(store: Store) -> TrunkOf:
    return lambda trial: store.trunk(trial.source) if trial.source else b""


def _planned_with(plan: Plan) -> ExpectedOf:
    here = versions()
    return lambda trial: Expected(plan.manifests[trial.sources], here, plan.suite.require)


def _without_trunk(trial: Trial, plan: Plan) -> Result:
    source = next(other.title for other in plan.every if other.id == trial.source)
    error = f"expected the trunk of {source} to start from, got none: that trial failed"
    return Result(FAILED, plan.attempts(trial) + 1, error=error)


def report_again(folder: Path) -> Run:
    """Tables, figures and report from what a results folder holds, with its ``trials/`` or without; nothing is trained.

    Raises MtlbenchError where the folder holds no run.
    """
    from ..report import build, write

    frames, suite = Store(folder).read()
    frames.write(folder, suite)
    report = build(frames.records, frames.trials, frames.environments, suite)
    write(report, folder)
    tables = {name: table.raw for name, table in report.tables.items()}
    rows = frames.trials.to_dict("records")
    missing = tuple(row["title"] for row in rows if row["status"] == MISSING)
    # A candidate that fails is not chosen, that is all.
    failed = {row["title"]: _outcome(row) for row in rows if row["status"] in ENDED_BADLY and row["role"] != CANDIDATE}
    return Run(folder, frames.records, tables, report, failed, missing)


def _outcome(row: dict[Hashable, Any]) -> Result:
    """How a trial ended, without its records."""
    told = {name: row[name] for name in ("status", "attempt", "error", "traceback", "seconds", "shared", "peak_memory")}
    return Result(**told, notes=tuple(row["notes"]))
