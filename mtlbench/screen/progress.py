"""What a person sees while trials run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from statistics import fmean
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from ..core.statuses import CONTENDED, ENDED_WELL, counted
from ..core.wording import clean
from ..runner.events import Event, Finished, Started

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tally:
    """Counts, remaining time and running means, kept from the events alone."""

    def __init__(self, total: int, cached: int) -> None:
        self.total = total
        self.cached, self.retried = cached, 0
        self.ended: Counter[str] = Counter()  # trials that will not run again in this run, by status
        self.running: dict[str, str] = {}
        self.began = time.monotonic()
        # (problem, method, engine) -> task -> main test metrics of the finished seeds
        self.scores: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, event: Event) -> None:
        """Take an event in."""
        if isinstance(event, Started):
            self.running[event.trial.id] = event.trial.title
            return
        self.running.pop(event.trial.id, None)
        if event.retried:
            self.retried += 1
            return
        self.ended[event.result.status] += 1
        if event.trial.labels.role:
            return  # its scores are not its method's
        key = (event.trial.problem_name, event.trial.labels.method, event.trial.way)
        for record in event.result.records:
            if record.split == "test" and record.main:
                self.scores[key][record.task].append(record.value)

    @property
    def eta(self) -> float | None:
        """Seconds left at the pace so far; None before the first trial ended."""
        ended = self.ended.total()
        return (time.monotonic() - self.began) / ended * (self.total - ended) if ended else None

    def line(self) -> str:
        """Counts in one line."""
        done = sum(self.ended[status] for status in ENDED_WELL)
        parts = [f"{done} done", f"{len(self.running)} running", counted(self.ended) or "0 failed"]
        parts += [f"{self.ended[CONTENDED]} contended"] if self.ended[CONTENDED] else []
        parts += [f"{self.cached} cached"] if self.cached else []
        parts += [f"{self.retried} retried"] if self.retried else []
        left = self.eta
        return ", ".join(parts) + (f", about {duration(left)} left" if left is not None else "")


def duration(seconds: float) -> str:
    """Seconds as a person would say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class PlainProgress:
    """One line an attempt, for logs and pipes."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self.tally = tally
        self.console = console

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """Take an event in and print it."""
        self.tally.add(event)
        if isinstance(event, Finished):
            self.console.print(outcome(event) + f"  ({self.tally.line()})", markup=False, highlight=False)


class LiveProgress:
    """Bar, running trials and the current table of methods, redrawn in place."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self.tally = tally
        self.bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console)
        self.job = self.bar.add_task("trials", total=tally.total)
        self.live = Live(self, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveProgress:
        self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.__exit__(kind, error, trace)

    def __rich__(self) -> Group:
        self.bar.update(self.job, completed=self.tally.ended.total())
        running = "\n".join(f"  … {clean(title)}" for title in list(self.tally.running.values())[:8])
        return Group(self.bar, Text(self.tally.line()), Text(running, style="dim"), standings(self.tally))

    def show(self, event: Event) -> None:
        """Take an event in; a failure is also printed above the display, where it stays."""
        self.tally.add(event)
        if isinstance(event, Finished) and not event.result.ok:
            self.live.console.print(outcome(event), markup=False, highlight=False, style="red")


def outcome(event: Finished) -> str:
    """An ended attempt in one line."""
    result, title = event.result, clean(event.trial.title)
    if result.ok:
        contended = "  contended: other work ran beside it" if result.status == CONTENDED else ""
        return f"done    {title}  {result.seconds:.1f} s{contended}"
    peak = f", peak memory {result.peak_memory / 1024**2:,.0f} MiB" if result.peak_memory else ""
    again = " — trying again" if event.retried else ""
    return f"{result.status:7} {title}: {result.error}{peak}{again}"


def standings(tally: Tally) -> Table:
    """Mean main test metric per method and task over the seeds finished so far."""
    tasks: Iterable[str] = dict.fromkeys(task for scores in tally.scores.values() for task in scores)
    table = Table("method", "engine", "seeds", title="so far (test, main metric)")
    for task in tasks:
        table.add_column(Text(clean(task)))
    for (problem, method, engine), scores in tally.scores.items():
        cells = [f"{fmean(scores[task]):.3f}" if scores.get(task) else "" for task in tasks]
        seeds = max(len(values) for values in scores.values())
        table.add_row(Text(clean(f"{problem} · {method}")), engine, str(seeds), *cells)
    return table


def make_progress(tally: Tally, console: Console) -> PlainProgress | LiveProgress:
    """The display that fits the console."""
    return LiveProgress(tally, console) if console.is_terminal else PlainProgress(tally, console)
