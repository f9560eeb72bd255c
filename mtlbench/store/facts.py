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

    def scoring(self, facts: Facts) -> tuple[Record, ...]:
        """What ``core.score.candidate_scores`` asks of a trial's records: those of the test split, the validation
        losses at the initial weights and at those that were kept; and of every trial that finished at least one.
        """
        import numpy as np

        kinds = list(self)
        is_test = np.array([kind.split == "test" for kind in kinds], dtype=bool)[facts.kind]
        is_loss = np.array([(kind.split, kind.metric) == ("validation", "loss") for kind in kinds], dtype=bool)
        kept = facts.step[is_test].max(initial=0)
        chosen = is_test | (is_loss[facts.kind] & np.isin(facts.step, (0, kept)))
        places = np.flatnonzero(chosen) if chosen.any() else range(min(len(facts), 1))
        return tuple(self._record(kinds[facts.kind[i]], int(facts.step[i]), float(facts.value[i])) for i in places)

    def _record(self, kind: Kind, step: int, value: float) -> Record:
        return Record(step=step, value=value, **kind._asdict())
