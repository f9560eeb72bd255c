"""Where the numbers come from: suite, methods, machines."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ...core.wording import listing, plural
from ...core.yaml_writer import to_yaml
from ..evidence.evidence import Evidence
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table
from .settings import settings


def section(evidence: Evidence) -> Part:
    """The command, the settings of each method, and every environment side by side."""
    suite = evidence.data.suite
    statements = []
    if suite.get("command"):
        statements.append(Statement(f"Made by: {suite['command']}"))
    flat = {name: _flat(found) for name, found in evidence.data.environments.items()}
    differing = _differing(flat)
    if len(flat) > 1:
        which = listing(differing, 8) or "nothing that is recorded"
        text = f"Trials ran in {len(flat)} different environments, which differ in {which}"
        statements.append(Statement(f"{text}: compare times across them with care.", "warning"))
    tables = [t for t in (settings(evidence), _environments(evidence, flat, differing)) if t]
    texts = {"The suite as it was resolved": to_yaml(dict(suite))}
    return Part("environment", "Environment and provenance", tuple(statements), tuple(tables), preformatted=texts)


def _flat(value: object, name: str = "") -> dict[str, str]:
    """Nested mappings as dotted names."""
    if isinstance(value, Mapping):
        parts = (_flat(inner, f"{name}.{key}" if name else str(key)) for key, inner in value.items())
        return {key: text for part in parts for key, text in part.items()}
    if isinstance(value, (list, tuple)):
        return {name: ", ".join(map(str, value))}
    return {name: "" if value is None else str(value)}


def _differing(flat: Mapping[str, Mapping[str, str]]) -> list[str]:
    names = dict.fromkeys(name for fields in flat.values() for name in fields)
    return [name for name in names if len({fields.get(name, "") for fields in flat.values()}) > 1]


def _environments(evidence: Evidence, flat: Mapping[str, Mapping[str, str]], differing: list[str]) -> Table | None:
    names = list(dict.fromkeys(name for fields in flat.values() for name, value in fields.items() if value))
    if not names:
        return None
    trials = evidence.data.planned["environment"].value_counts()
    counts = {name: plural(int(trials.get(name, 0)), "trial") for name in flat}
    raw = pd.DataFrame(
        [{"environment": name, "field": k, "value": v} for name, f in flat.items() for k, v in f.items()]
    )
    columns = (Column("", number=False), *(Column(f"{name} ({counts[name]})", number=False) for name in flat))
    rows = [
        (
            Cell(f"≠ {field}" if field in differing else field),
            *(Cell(fields.get(field, "")) for fields in flat.values()),
        )
        for field in names
    ]
    caption = "What each trial's machine and software were. ≠ marks what differs between them."
    return Table("environment", "Environments", caption, raw, (Panel("", columns, tuple(rows)),))
