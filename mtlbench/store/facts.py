"""The records of trials as columns: what a fact is of has a number, of which there are few, beside step and value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.record import Record

if TYPE_CHECKING:
    import numpy as np

    Integers = np.ndarray[Any, np.dtype[np.int64]]
    Reals = np.ndarray[Any, np.dtype[np.float64]]


class Kind(NamedTuple):
    """What a fact is of: all of a record but its step and its value."""

    metric: str
    split: str
    task: str
    unit: str
    higher_is_better: bool | None
    main: bool
    other: str


@dataclass(frozen=True, eq=False)
class Facts:
    """The records of one trial, in their order [R]: the number of each one's kind, its step and its value."""

    kind: Integers
    step: Integers
    value: Reals

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def nothing(self) -> Facts:
        """No fact."""
        return Facts(self.kind[:0], self.step[:0], self.value[:0])


class Kinds:
    """Kinds by their numbers, which they get in the order in which they are first seen."""

    def __init__(self) -> None:
        self._numbers: dict[Kind, int] = {}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._numbers)

    def number(self, kind: Kind) -> int:
        """The number of a kind, a new one if need be."""
        return self._numbers.setdefault(kind, len(self._numbers))

    def facts(self, records: Iterable[Record]) -> Facts:
        """Records as columns."""
        import numpy as np

        kind, step, value = [], [], []
        for r in records:
            kind.append(self.number(Kind(r.metric, r.split, r.task, r.unit, r.higher_is_better, r.main, r.other)))
            step.append(r.step)
            value.append(r.value)
        return Facts(np.array(kind, np.int64), np.array(step, np.int64), np.array(value, np.float64))
