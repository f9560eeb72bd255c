"""Choices that were made for the user while trials ran: inferred task types, imputed columns, dropped rows."""

from __future__ import annotations

from ...core.wording import plural
from ..evidence.evidence import Evidence
from ..evidence.frames import rows
from ..writing.parts import Part, Statement


def section(evidence: Evidence) -> Part | None:
    """Each note once, with the number of trials that it comes from."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows(evidence.data.planned):
        for note in dict.fromkeys(row.notes):
            counts[row.problem, note] = counts.get((row.problem, note), 0) + 1
    statements = tuple(Statement(f"{problem}: {note} ({plural(n, 'trial')})") for (problem, note), n in counts.items())
    return Part("notes", "Notes", statements) if statements else None
