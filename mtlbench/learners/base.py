"""The interface of learners: from a problem to a trained predictor, and records of how well it does."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ..architectures.base import Architecture
from ..core.config import Config
from ..core.errors import TimedOut
from ..core.record import Record
from ..core.settings import Heads, Train
from ..core.task import Data, Outline
from ..engine.table import Engine
from ..optim import Optimizer, Schedule
from ..penalties.base import Free, Penalty
from ..weightings.base import Weighting

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..engine.distributed import World


@dataclass(frozen=True)
class Start:
    """The weights of a trained trunk, as ``Model.trunk`` returns them, and whether they are frozen."""

    trunk: Mapping[str, Tensor]
    freeze: bool = False


@dataclass(frozen=True)
class Job:
    """One trial, with its names resolved to objects. ``deadline`` is a time.monotonic time, in seconds.

    A part that the learner does not use (``Learner.uses``) is None or has its default.
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
    heads: Heads = Heads.from_plain({})  # noqa: RUF009 (frozen)
    init_from: Start | None = None  # None: random initial weights
    others: Mapping[str, Any] = field(default_factory=dict)  # parts that have no field here, by key
    keep: Callable[[Mapping[str, Tensor]], None] | None = None  # called with the trained trunk, if one is to be saved
    world: World | None = None  # the processes that train together; None: this one alone

    def check_deadline(self, where: str) -> None:
        """Raises TimedOut past the deadline; learners call it at every step."""
        if time.monotonic() > self.deadline:
            raise TimedOut(f"timed out {where}: raise resources.timeout, or train for fewer epochs")


class Learner(Config):
    """Trains on a job's training split and reports results; the test split is read once, at the end.

    Parts of a method that a learner does not use are not required, do not enter its trials, and may not be written.
    """

    random: ClassVar[bool] = True  # whether the seed affects anything beyond how the data are split

    @classmethod
    def uses(cls, part: str) -> bool:
        """Whether the learner uses a part of a method (a key of ``core.parts.PARTS`` that is ``optional``)."""
        return True

    def check(self, outline: Outline) -> Iterable[str]:
        """The reasons why the learner cannot be used on a problem, as sentences; empty if it can."""
        return ()

    def beside(self, outline: Outline) -> bool:
        """Whether the learner stands beside the methods of a suite by itself, as a reference, on a problem of data."""
        return False

    def stages(self, tasks: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """The tasks of a problem that are trained together, stage by stage; the tasks of the last stage are those of
        the trial, which results are reported for.
        """
        return (tasks,)

    @abstractmethod
    def run(self, job: Job) -> list[Record]:
        """The records of ``core.record``, except those of the whole trial (total seconds, peak memory)."""
