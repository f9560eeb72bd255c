"""The report: from records to tables, figures and one page. Importing this package is cheap; building is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from .assemble import Report


def build(
    records: pd.DataFrame,
    trials: pd.DataFrame,
    environments: Mapping[str, Mapping[str, Any]],
    suite: Mapping[str, Any],
) -> Report:
    """The report of one results folder; pure.

    records       one row per fact, in the vocabulary of core.record, with the trial's labels
    trials        one row per planned trial: labels, tasks, status (``core.statuses``), error, shared …
    environments  environment id -> what it is
    suite         the resolved suite
    """
    from .assemble import assemble

    return assemble(records, trials, environments, suite)


def write(report: Report, folder: Path) -> None:
    """Write tables/*.{csv,md,tex}, figures/*.svg, report.html and report.md, each file atomically."""
    from ..store import write_atomically
    from .writing.csv import csv_table
    from .writing.latex import latex_table
    from .writing.markdown import markdown_table

    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, table in report.tables.items():
        write_atomically(folder / "tables" / f"{name}.csv", csv_table(table))
        write_atomically(folder / "tables" / f"{name}.md", markdown_table(table))
        write_atomically(folder / "tables" / f"{name}.tex", latex_table(table))
    for name, svg in report.figures.items():
        write_atomically(folder / "figures" / f"{name}.svg", svg)
    write_atomically(folder / "report.md", report.markdown)
    write_atomically(folder / "report.html", report.html)
