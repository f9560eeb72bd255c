"""What was planned but did not run, or ended badly, with the reasons."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from ...core.statuses import CONTENDED, ENDED_BADLY, ENDED_WELL, FAILED, MISSING, counted
from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.frames import groups, rows
from ..writing.format import memory
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table

_COLUMNS = ["problem", "method", "engine", "tasks", "seed", "status", "attempt", "error", "peak_memory", "trial"]
_BESIDE_OTHERS = "beside other work on a machine that they were to have to themselves: their times do not count"


def section(evidence: Evidence) -> Part:
    """Counts, one row for each distinct reason, and the tracebacks."""
    trials = evidence.data.planned
    numbers = Counter(trials["status"])
    bad = trials[~trials["status"].isin(ENDED_WELL)]
    contended = f"; {numbers[CONTENDED]:,} of them {_BESIDE_OTHERS}" if numbers[CONTENDED] else ""
    if not len(bad):
        text = f"All {plural(len(trials), 'planned trial')} finished{contended}."
        text = text if len(trials) else "No trial was planned."
        return Part("failures", "What did not run", (Statement(text),))
    text = f"{len(trials) - len(bad):,} of {plural(len(trials), 'planned trial')} finished{contended}"
    text += f"; {found}" if (found := counted(numbers)) else ""
    text += f"; {numbers[MISSING]:,} did not run" if numbers[MISSING] else ""
    return Part(
        "failures", "What did not run", (Statement(f"{text}.", "warning"),), (_table(bad),), preformatted=_traces(bad)
    )


def _table(bad: pd.DataFrame) -> Table:
    keys = ["problem", "method", "engine", "tasks", "status", "error"]
    seen = bool((bad["peak_memory"] > 0).any())
    lines = []
    for (problem, method, engine, tasks, status, error), group in groups(bad, keys):
        seeds = listing((str(seed) for seed in sorted(group["seed"].unique())), 10)
        what = method + (f" [{', '.join(tasks)}]" if group["baseline"].any() else "")
        reason = error or ("not run yet" if status == MISSING else "no reason given")
        peak = group["peak_memory"].max()
        words = (problem, what, engine, seeds, status, *([memory(peak) if peak else ""] if seen else []), reason)
        lines.append(tuple(map(Cell, words)))
    names = ("problem", "method", "engine", "seeds", "status", *(["peak memory"] if seen else []), "reason")
    columns = tuple(Column(name, number=False) for name in names)
    return Table(
        "failures",
        "Failed and missing trials",
        f"Each row is one reason. {_explained(bad)}Comparisons leave out a seed for which a method or its baseline "
        "has no result; mtlbench run on the same suite tries these trials again.",
        bad[_COLUMNS].reset_index(drop=True),
        (Panel("", columns, tuple(lines)),),
    )


def _explained(bad: pd.DataFrame) -> str:
    """What the statuses in the table mean, but for the plain one; and what memory is told of."""
    met = [status for status in ENDED_BADLY if status != FAILED and (bad["status"] == status).any()]
    told = [f"“{status}”: {ENDED_BADLY[status]}. " for status in met]
    told += ["Peak memory is what was last seen of it. "] if (bad["peak_memory"] > 0).any() else []
    return "".join(told)


def _traces(bad: pd.DataFrame) -> dict[str, str]:
    """One traceback for each distinct error."""
    failed = bad[bad["traceback"] != ""].drop_duplicates("error")
    titles = (f"Traceback of {r.problem}/{r.method}/{r.engine}/seed{r.seed}: {r.error}" for r in rows(failed))
    return dict(zip(titles, failed["traceback"], strict=True))
