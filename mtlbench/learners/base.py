"""What a learner is: a problem to a trained predictor, and the records of how well it does."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ..architectures.base import Architecture
from ..core.config import Config
from ..core.errors import MtlbenchError
from ..core.record import Record
from ..core.settings import Train
from ..core.task import Data, Outline
from ..engine.table import Engine
from ..optim import Optimizer, Schedule
from ..penalties.base import Free, Penalty
from ..weightings.base import Weighting

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Diverged(MtlbenchError):
    """A loss became NaN or infinite."""


class TimedOut(MtlbenchError):
    """A trial ran past its deadline."""


@dataclass(frozen=True)
class Start:
    """A trained trunk, as ``Model.trunk`` gives it, and whether it is left as it is."""

    trunk: Mapping[str, Tensor]
    freeze: bool = False


@dataclass(frozen=True)
class Job:
    """One trial, its names made into objects. ``deadline`` is on the clock of time.monotonic, in seconds.

    What the learner does not use (``Learner.uses``) is None, or its default.
    """

    data: Data
    tasks: tuple[str, ...]
    architecture: Architecture
    weighting: Weighting
    engine: Engine
    optimizer: Optimizer
    schedule: Schedule
    train: Train
    seed: int
    device: torch.device
    deadline: float = float("inf")
    penalty: Penalty = Free()  # noqa: RUF009 (frozen)
    init_from: Start | None = None  # None: initial weights
    others: Mapping[str, Any] = field(default_factory=dict)  # parts without a field here, by key
    keep: Callable[[Mapping[str, Tensor]], None] | None = None  # is given the trained trunk, where one is asked for

    def check_deadline(self, where: str) -> None:
        """Raises TimedOut past the deadline; learners call it at every step."""
        if time.monotonic() > self.deadline:
            raise TimedOut(f"timed out {where}: raise resources.timeout, or train for fewer epochs")


class Learner(Config):
    """Trains on a job's training split and reports; the test split is read once, at the end.

    What it does not use of a method is neither required with it nor part of its trials, and writing it is an error.
    """

    random: ClassVar[bool] = True  # whether the trial's seed has a say beyond the split of the data

    @classmethod
    def uses(cls, part: str) -> bool:
        """Whether it uses a part of a method (a key of ``core.parts.PARTS`` that is ``optional``)."""
        return True

    def check(self, outline: Outline) -> Iterable[str]:
        """Why the learner does not suit a problem, in sentences; empty where it does."""
        return ()

    def stages(self, tasks: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Which of a problem's tasks it trains together, stage by stage; those of the last stage are a trial's tasks,
        which it reports on.
        """
        return (tasks,)

    @abstractmethod
    def run(self, job: Job) -> list[Record]:
        """The records of ``core.record``, but those of the whole trial (total seconds, peak memory)."""
