"""What a scheduler tells while it works."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.record import Result
from ..core.trial import Trial


@dataclass(frozen=True)
class Started:
    """An attempt at a trial begins."""

    trial: Trial


@dataclass(frozen=True)
class Finished:
    """An attempt at a trial ended; ``retried`` says that another attempt follows at once."""

    trial: Trial
    result: Result
    retried: bool = False


Event = Started | Finished
