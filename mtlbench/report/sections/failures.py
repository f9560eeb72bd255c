"""What was planned but did not run, or failed, with the reasons."""

from __future__ import annotations

import pandas as pd

from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.frames import groups, rows
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table

_COLUMNS = ["problem", "method", "engine", "tasks", "seed", "status", "attempt", "error", "trial"]


def section(evidence: Evidence) -> Part:
    """Counts, one row for each distinct reason, and the tracebacks."""
    trials = evidence.data.planned
    bad = trials[trials["status"] != "ok"]
    counts = {status: int((trials["status"] == status).sum()) for status in ("ok", "failed", "missing")}
    if not len(bad):
        text = f"All {plural(len(trials), 'planned trial')} finished." if len(trials) else "No trial was planned."
        return Part("failures", "What did not run", (Statement(text),))
    text = f"{counts['ok']:,} of {plural(len(trials), 'planned trial')} finished"
    text += f"; {counts['failed']:,} failed" if counts["failed"] else ""
    text += f"; {counts['missing']:,} did not run" if counts["missing"] else ""
    return Part(
        "failures", "What did not run", (Statement(f"{text}.", "warning"),), (_table(bad),), preformatted=_traces(bad)
    )


def _table(bad: pd.DataFrame) -> Table:
    keys = ["problem", "method", "engine", "tasks", "status", "error"]
    lines = []
    for (problem, method, engine, tasks, status, error), group in groups(bad, keys):
        seeds = listing((str(seed) for seed in sorted(group["seed"].unique())), 10)
        what = method + (f" [{', '.join(tasks)}]" if group["baseline"].any() else "")
        reason = error or ("not run yet" if status == "missing" else "no reason given")
        lines.append(tuple(Cell(text) for text in (problem, what, engine, seeds, status, reason)))
    columns = tuple(Column(name, number=False) for name in ("problem", "method", "engine", "seeds", "status", "reason"))
    return Table(
        "failures",
        "Failed and missing trials",
        "Each row is one reason. Comparisons leave out a seed for which a method or its baseline has no result; "
        "mtlbench run on the same suite tries these trials again.",
        bad[_COLUMNS].reset_index(drop=True),
        (Panel("", columns, tuple(lines)),),
    )


def _traces(bad: pd.DataFrame) -> dict[str, str]:
    """One traceback for each distinct error."""
    failed = bad[bad["traceback"] != ""].drop_duplicates("error")
    titles = (f"Traceback of {r.problem}/{r.method}/{r.engine}/seed{r.seed}: {r.error}" for r in rows(failed))
    return dict(zip(titles, failed["traceback"], strict=True))
