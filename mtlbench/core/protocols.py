"""What reading and expanding a suite ask of the entries of other rooms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from .task import Outline
    from .trial import Spec


class ProblemEntry(Protocol):
    """A problem: its tasks, and the files that they are read from."""

    def outline(self, root: Path) -> Outline:
        """What is known of it before any trial."""

    def files(self, root: Path) -> Iterable[Path]:
        """The files that decide its data."""


class LearnerEntry(Protocol):
    """A learner: which parts of a method it uses, and which tasks it trains together."""

    @classmethod
    def uses(cls, part: str) -> bool:
        """Whether it uses a part (a key of ``core.parts``) that not every learner does."""

    def check(self, outline: Outline) -> Iterable[str]:
        """The reasons why it cannot be used on a problem."""

    def beside(self, outline: Outline) -> bool:
        """Whether it stands beside the methods of a suite by itself, on a problem that it can be used on."""

    def stages(self, tasks: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """The tasks that it trains together, stage by stage; a trial reports on those of the last."""


class WeightingEntry(Protocol):
    """A weighting: given, or chosen among several by folds of the training rows."""

    uniform: ClassVar[bool]  # whether lambda_t = 1/T at every step, so that all rules for the heads are one

    @property
    def chosen_by_folds(self) -> bool:
        """Whether ``candidates`` offers any."""

    def candidates(self, tasks: tuple[str, ...]) -> tuple[int, tuple[Spec, ...]]:
        """By how many folds to choose, and what to choose from."""


class KernelEntry(Protocol):
    """A case of an operation to time."""

    contenders: Mapping[str, Any]

    @property
    def shape(self) -> str:
        """Its size in a few words."""
