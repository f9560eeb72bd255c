"""What a scheduler tells while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..core.record import Result
from ..core.trial import Trial
from .agreement import Expected


@dataclass(frozen=True)
class Started:
    """An attempt at a trial begins."""

    trial: Trial


@dataclass(frozen=True)
class Finished:
    """An attempt at a trial ended; ``retried`` says that another attempt follows at once. ``trunk`` is the content of
    the file to keep its trained trunk in, where the trial keeps one.
    """

    trial: Trial
    result: Result
    retried: bool = False
    trunk: bytes = b""


Event = Started | Finished
ExpectedOf = Callable[[Trial], Expected]  # what a trial was planned with
TrunkOf = Callable[[Trial], bytes]  # the content of the file that a trial starts from; b"" where it starts from none
