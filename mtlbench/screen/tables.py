"""What the command line prints: plans, tables, lists, checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..core.statuses import counted
from ..core.wording import clean, clean_lines, plural
from .catalogue import Listed
from .doctor import Check
from .progress import duration

if TYPE_CHECKING:
    import pandas as pd

    from ..plan.plan import Plan
    from ..runner.session import Run

_TABLES_ON_SCREEN = ("methods", "pooled", "tasks", "throughput", "kernels")
_MOST_MISSING = 20  # titles that are printed
_SPARE_COLUMNS = (
    *("steps", "parameters", "peak memory", "training", "tuning", "seeds", "mean rank"),
    *("timed trials", "accuracy", "p ("),
)


def grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table; cells are text, never markup."""
    heading = Text(clean_lines(title)) if title else None
    table = Table(title=heading, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(clean(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean_lines(str(cell))) for cell in row))
    return table


def say(console: Console, text: str, style: str = "") -> None:
    """One line of plain text."""
    console.print(Text(clean_lines(text), style=style), soft_wrap=True)


def frame_grid(title: str, frame: pd.DataFrame, width: int) -> Table:
    """A formatted data frame; columns that only a wide screen holds are left to the files."""
    columns = [str(column) for column in frame.columns]
    for spare in _SPARE_COLUMNS:
        lengths = (max(map(len, [column, *frame[column].astype(str)])) + 3 for column in columns)
        if sum(lengths) <= width:
            break
        columns = [column for column in columns if not column.startswith(spare)]
    return grid(title, columns, frame[columns].astype(str).itertuples(index=False))


def show_result(result: Run, console: Console) -> None:
    """Verdict, tables, failures, and where the report is."""
    for name in _TABLES_ON_SCREEN:
        table = result.report.tables.get(name)
        panels = table.panels if table is not None else ()
        for panel in panels:
            title = f"{name}: {panel.title}" if len(panels) > 1 else name
            if panel.rows:
                console.print(frame_grid(f"\n{title}", panel.text, console.width))
    console.print()
    for sentence in result.report.verdict:
        say(console, sentence, "bold")
    if result.failed:
        found = counted(Counter(failure.status for failure in result.failed.values()))
        say(console, f"\n{plural(len(result.failed), 'trial')} ended badly ({found}):", "red")
        for title, failure in result.failed.items():
            say(console, f"  {title} ({failure.status}, attempt {failure.attempt}): {failure.error}")
        say(console, "their tracebacks are in the report; the same command tries these again")
    if result.missing:
        say(console, f"{len(result.missing)} trials of this suite have no result that counts:", "yellow")
        for title in result.missing[:_MOST_MISSING]:
            say(console, f"  {title}")
        if len(result.missing) > _MOST_MISSING:
            say(console, f"  and {len(result.missing) - _MOST_MISSING} more")
    say(console, f"\nreport: {result.folder / 'report.html'}   tables: {result.folder / 'tables'}")


def show_todo(plan: Plan, console: Console) -> None:
    """What is about to run, and why the rest does not."""
    counts = ", ".join(f"{count} {state}" for state, count in plan.states.items())
    say(console, f"{plan.suite.name}: {len(plan.trials)} trials ({counts}); results go to {plan.store.folder}")
    for reason, count in Counter(planned.reason for planned in plan.planned if planned.reason).most_common(8):
        state = next(planned.state for planned in plan.planned if planned.reason == reason)
        say(console, f"  {count} {state}: {reason}", "dim")
    for note in plan.notes:
        say(console, f"  note: {note}", "dim")


def show_plan(plan: Plan, console: Console) -> None:
    """Trials by problem, method and engine, what they need, how long they take, and what they could prove."""
    show_todo(plan, console)
    columns = ["problem", "method", "engine", "trials", "to run", "cpus", "gpus", "each"]
    rows = []
    for row in plan.rows:
        each = duration(row.seconds) if row.seconds is not None else "–"
        rows.append([row.problem, row.method, row.engine, row.trials, row.to_run, row.cpus, row.gpus, each])
    console.print(grid("", columns, rows))
    say(console, f"\n{_time(plan)}")
    if plan.suite.methods:
        say(console, str(plan.power))


def _time(plan: Plan) -> str:
    unknown = f"{plan.without_record} trials have no earlier record to estimate their time from"
    if plan.without_record == len(plan.todo):
        return unknown if plan.todo else "nothing to run"
    time = f"time, one trial after another: about {duration(plan.seconds)}"
    return f"{time}; {unknown}" if plan.without_record else time


def show_catalogue(rows: Iterable[Listed], console: Console) -> None:
    """One line an entry, its paper and its parameters, room by room; – is none."""
    rooms: dict[str, list[Listed]] = {}
    for row in rows:
        rooms.setdefault(row.room, []).append(row)
    for room, entries in rooms.items():
        papers = [f"[{entry.paper}]" if entry.paper else "–" for entry in entries]
        cells = [(e.name, f"{e.summary}\n{p}", e.parameters or "–") for e, p in zip(entries, papers, strict=True)]
        console.print(grid(f"\n{room}", ["name", "what", "parameters"], cells))


def show_checks(checks: Sequence[Check], console: Console) -> None:
    """One line a check; what is missing comes with the command that fixes it."""
    console.print(grid("", ["", "", "fix"], [(c.name, c.found, c.fix) for c in checks]))
    missing = sum(not check.ok for check in checks)
    say(console, "\nall is well" if not missing else f"\n{missing} things to fix", "green" if not missing else "yellow")
