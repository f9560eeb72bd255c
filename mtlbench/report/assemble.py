"""Assembles the sections into a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pandas as pd

from ..core.statuses import ENDED_WELL
from ..core.wording import plural
from .evidence.evidence import Evidence, gather
from .sections import SECTIONS
from .writing.html import page
from .writing.markdown import markdown_report
from .writing.parts import Part, Table


@dataclass(frozen=True)
class Report:
    """Everything a run has to say.

    tables    name -> Table, with raw numbers in ``.raw`` and the strings people read in ``.text``
    figures   name -> SVG
    html      one self-contained page
    markdown  a short version of it, for a README
    verdict   the main findings, one sentence or two each
    """

    tables: dict[str, Table]
    figures: dict[str, str]
    html: str
    markdown: str
    verdict: list[str]


def parts_of(evidence: Evidence) -> tuple[Part, ...]:
    """Every section that has something to show, in the order of ``SECTIONS``."""
    found = (section(target)(evidence) for target in SECTIONS.values())
    return tuple(part for part in found if part)


def section(target: str) -> Any:
    """The function behind a row of ``SECTIONS``."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def assemble(
    records: pd.DataFrame, trials: pd.DataFrame, environments: Mapping[str, Any], suite: Mapping[str, Any]
) -> Report:
    """See ``mtlbench.report.build``."""
    evidence = gather(records, trials, environments, suite)
    parts = parts_of(evidence)
    name = str(suite.get("suite", ""))
    description = " ".join(filter(None, [str(suite.get("description") or ""), _profile(evidence)]))
    facts = _facts(evidence)
    return Report(
        tables={table.name: table for part in parts for table in part.tables},
        figures={figure.name: figure.svg for part in parts for figure in part.figures},
        html=page(name, description, facts, parts),
        markdown=markdown_report(name, description, facts, parts),
        verdict=[str(statement) for part in parts if part.name == "verdict" for statement in part.statements],
    )


def _profile(evidence: Evidence) -> str:
    """The profile and its seeds, which the description of the whole suite does not mention."""
    data = evidence.data
    name = data.suite.get("profile")
    if not name:
        return ""
    done = data.trials[data.trials["status"].isin(ENDED_WELL)]
    ran = done.groupby("problem")["seed"].nunique()
    fewest, most = (int(ran.min()), int(ran.max())) if len(ran) else (0, 0)
    seeds = plural(most, "seed") if fewest == most else f"{fewest} to {most} seeds a problem"
    said = f"These are results of the profile “{name}”, which overrides parts of the suite"
    return f"{said}; {seeds} ran." if len(data.trials) else f"{said}."


def _facts(evidence: Evidence) -> dict[str, str]:
    """What was done, in a few numbers."""
    data = evidence.data
    methods = dict.fromkeys(method for problem in data.problems for method in data.methods(problem))
    done = int(data.planned["status"].isin(ENDED_WELL).sum())
    timed = data.planned.loc[data.planned["kind"] == "kernel", "problem"].nunique()
    finished = {"finished": f"{done:,} of {plural(len(data.planned), 'trial')}"}
    kernels = {"kernels": str(timed)} if timed else {}
    if timed and not methods:
        return kernels | finished
    return {
        "problems": ", ".join(data.problems) if len(data.problems) <= 3 else str(len(data.problems)),
        "methods": str(len(methods)),
        "engines": ", ".join(data.engines),
        "seeds": str(data.trials["seed"].nunique()),
        **kernels,
        **finished,
    }
