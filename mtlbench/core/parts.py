"""The parts of a method, in one table. What a suite may say, what its trials are made of and what reports show of them
all follow from here: to add a part, add its row (and its table of entries to ``plan.reading.tables``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .config import Config
from .settings import Heads, InitFrom, Resources, Train

REQUIRED: Any = object()  # the default of a part that every suite has to give


@dataclass(frozen=True)
class Part:
    """One part of a method: a key of the suite, and of each of its methods.

    description  what an editor or an error says about it
    room         the table (a key of ``Tables``) that its name is looked up in; "" for settings
    settings     the model of a part that is no entry of a table
    many         whether a method lists several of them, each of which makes trials of its own
    default      as it would be written in a suite
    shorthand    the key that a bare name stands for
    merged       whether an override changes single parameters; otherwise it replaces the whole part
    tunable      whether ``tune`` may vary it
    inherited    whether the single-task baseline takes it from the suite
    optional     whether there are learners that do not use it
    coordinate   the field of a trial that holds it and is part of the trial's identity; "" where it is none
    founding     whether trials were identified by it from the start; a part that came later is left out of their
                 identity at its default, so that finished trials stay what they were
    training     whether it says how a network is trained: a method whose training differs from the baseline's is
                 remarked upon in reports
    column       whether the records carry its name as a column
    """

    description: str
    room: str = ""
    settings: type[Config] | None = None
    many: bool = False
    default: Any = REQUIRED
    shorthand: str = "name"
    merged: bool = True
    tunable: bool = True
    inherited: bool = True
    optional: bool = True
    coordinate: str = ""
    founding: bool = False
    training: bool = True
    column: bool = False

    @property
    def single(self) -> bool:
        """Whether a method has exactly one of it: an entry of a table, or settings."""
        return not self.many and (bool(self.room) or self.settings is not None)

    @property
    def as_written(self) -> dict[str, Any]:
        """What trials written before the part existed had in its place."""
        return {} if self.default is REQUIRED or self.settings else dict(self.default)

    def identity(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """What of a trial's spec identifies the trial: all but settings that came later and have their default."""
        if self.settings is None:
            return spec
        defaults = {name: self.settings.model_fields[name].get_default() for name in self.settings.later}
        return {key: value for key, value in spec.items() if key not in defaults or value != defaults[key]}


# In the order in which resolved suites show them.
PARTS: dict[str, Part] = {
    "problem": Part(
        "one problem or a list of them, each a name or a mapping with a name, its parameters and a label",
        room="problem",
        many=True,
        tunable=False,
        optional=False,
        training=False,
    ),
    "learner": Part(
        "a learner: a name, or a mapping with a name and its parameters",
        room="learner",
        default={"name": "gradient"},
        optional=False,
        coordinate="learner",
        founding=True,
    ),
    "architecture": Part(
        "an architecture: a name, or a mapping with a name and its parameters",
        room="architecture",
        inherited=False,
        coordinate="architecture",
        founding=True,
        training=False,
        column=True,
    ),
    "weighting": Part(
        "a weighting: a name, or a mapping with a name and its parameters",
        room="weighting",
        default={"name": "equal"},
        inherited=False,
        coordinate="weighting",
        founding=True,
        training=False,
        column=True,
    ),
    "heads": Part(
        "own, weighted or published: what a task's own parameters descend under the weighting",
        settings=Heads,
        default={},
        shorthand="rule",
        inherited=False,
        coordinate="heads",
        training=False,
    ),
    "engines": Part(
        "a list of engines; every method runs on each of them",
        room="engine",
        many=True,
        default=["eager"],
        tunable=False,
        inherited=False,
        training=False,
    ),
    "optimizer": Part(
        "an optimizer: a name, or a mapping with a name and its parameters",
        room="optimizer",
        coordinate="optimizer",
        founding=True,
        column=True,
    ),
    "schedule": Part(
        "a learning-rate schedule: a name, or a mapping with a name and its parameters",
        room="schedule",
        default={"name": "constant"},
        coordinate="schedule",
        founding=True,
    ),
    "penalty": Part(
        "a penalty rho R(theta) on the weights: a name, or a mapping with a name and its parameters",
        room="penalty",
        default={"name": "none"},
        coordinate="penalty",
        founding=True,
    ),
    "train": Part(
        "how long to train, and in what batches",
        settings=Train,
        default={},
        coordinate="train",
        founding=True,
    ),
    "init_from": Part(
        "a method's label, or a mapping with method or file: whose trained trunk to start from",
        settings=InitFrom,
        default={},
        shorthand="method",
        merged=False,
        tunable=False,
        inherited=False,
        coordinate="start",
        founding=True,
    ),
    "tune": Part(
        "lists of values by key, as optimizer.lr, or budget and search; each seed takes what validates best",
        default={},
        merged=False,
        tunable=False,
        optional=False,
    ),
    "resources": Part(
        "what one trial needs",
        settings=Resources,
        default={},
        tunable=False,
        optional=False,
        training=False,
    ),
}  # fmt: skip


def single() -> Iterator[tuple[str, Part]]:
    """The parts of which a method has exactly one each."""
    return ((key, part) for key, part in PARTS.items() if part.single)


def coordinates() -> dict[str, Part]:
    """The parts that make up a trial's identity, by the trial's name for them."""
    return {part.coordinate: part for part in PARTS.values() if part.coordinate}


def key_of(coordinate: str) -> str:
    """The suite's key of a part, of which a trial's name is given."""
    return next(key for key, part in PARTS.items() if part.coordinate == coordinate)


def optional() -> frozenset[str]:
    """The parts that a learner may have no use for."""
    return frozenset(key for key, part in PARTS.items() if part.optional)


def tunable() -> tuple[str, ...]:
    """The parts that ``tune`` may vary."""
    return tuple(key for key, part in PARTS.items() if part.tunable)


def columns() -> tuple[str, ...]:
    """The parts whose names the records carry as columns."""
    return tuple(key for key, part in PARTS.items() if part.column)


def defaults() -> dict[str, Any]:
    """What a suite has where it says nothing."""
    return {key: part.default for key, part in PARTS.items() if part.default is not REQUIRED}


def required() -> tuple[str, ...]:
    """The parts that a suite or a method has to give."""
    return tuple(key for key, part in PARTS.items() if part.default is REQUIRED)
