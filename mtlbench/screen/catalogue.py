"""`mtlbench list`: every entry of every table, with its parameters and its paper, from the entries themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.config import Config
from ..core.errors import MtlbenchError, did_you_mean
from ..core.metrics import TABLE as METRICS
from ..plan.reading import tables


@dataclass(frozen=True)
class Listed:
    """One row of `mtlbench list`."""

    room: str
    name: str
    summary: str
    parameters: str
    paper: str = ""


def catalogue(room: str | None = None) -> Iterator[Listed]:
    """Rows in the order of the tables; an entry that cannot be loaded says why instead of stopping the list.

    Raises MtlbenchError for a room that does not exist.
    """
    from ..architectures.trunks import TRUNKS

    inner = (TRUNKS, METRICS)  # chosen inside an architecture or a problem, by no key of the suite
    registries = {registry.room: registry for registry in (*tables().values(), *inner)}
    if room is not None and room not in registries:
        raise MtlbenchError(f"unknown room '{room}', {did_you_mean(room, registries)}")
    for registry in registries.values() if room is None else [registries[room]]:
        for name in registry:
            try:
                entry = registry.load(name)
            except MtlbenchError as error:
                yield Listed(registry.room, name, f"cannot be loaded: {error}", "")
                continue
            yield Listed(registry.room, name, entry.summary(), _parameters(entry), entry.paper())


def _parameters(entry: type[Config]) -> str:
    """``a, b=1``: required parameters bare, others with their default."""
    parts = []
    for name, field in entry.model_fields.items():
        default = field.get_default(call_default_factory=True)
        parts.append(name if field.is_required() else f"{name}={_plain(default)}")
    return ", ".join(parts)


def _plain(value: object) -> str:
    """A default as it would be written in a suite."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_plain, value))}]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return ("{…}" if value else "{}") if isinstance(value, dict) else str(value)
