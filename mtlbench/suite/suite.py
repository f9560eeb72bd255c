"""The suite: the frozen picture of one suite file, every default filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from ..core.config import Config
from ..core.parts import CHOICES, UNINHERITED
from ..core.settings import InitFrom
from ..core.wording import shown
from .entries import Entry
from .tree import Place

BASELINE = "single-task"
PROBE = {"name": "affinity"}  # the learner that compares gradients
UNSHARED = "single"  # the architecture of the baseline
SLUG = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
MAX_SEEDS = 1000
MAX_TRIALS = 100_000


def _slug(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(SLUG, value):
        return value
    raise ValueError(f"expected up to 64 letters, digits, '.', '_' and '-', got {shown(value)}")


def _seeds(value: Any) -> tuple[int, ...]:
    if type(value) is int and 1 <= value <= MAX_SEEDS:
        return tuple(range(value))
    if isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value):
        distinct = tuple(dict.fromkeys(value))
        if 1 <= len(distinct) == len(value) <= MAX_SEEDS:
            return distinct
    raise ValueError(
        f"expected a number of seeds from 1 to {MAX_SEEDS}, or a list of distinct integers >= 0, got {shown(value)}"
    )


_SEEDS_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MAX_SEEDS},
        {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True},
    ]
}


class Header(Config):
    """The keys of a suite that no method can change."""

    suite: Annotated[str, BeforeValidator(_slug), WithJsonSchema({"type": "string", "pattern": f"^{SLUG}$"})] = "suite"
    description: str = ""
    seeds: Annotated[tuple[int, ...], BeforeValidator(_seeds), WithJsonSchema(_SEEDS_SCHEMA)] = Field(
        default=(0, 1, 2, 3, 4)
    )


@dataclass(frozen=True)
class Variant:
    """A method, or the single-task baseline, with everything that it does not change taken from the suite.

    What its learner does not use is an entry that is not ``used``; there is one such engine, so that it runs once.
    """

    label: str
    place: Place
    problems: tuple[Entry, ...]
    learner: Entry
    architecture: Entry
    weighting: Entry
    engines: tuple[Entry, ...]
    optimizer: Entry
    schedule: Entry
    penalty: Entry
    train: Entry
    init_from: Entry
    resources: Entry
    tune: Mapping[str, Any] = field(default_factory=dict)  # lists of values by dotted key
    choice: str = ""  # of a candidate: what it takes
    candidates: tuple[Variant, ...] = ()  # every combination of ``tune``

    @property
    def alternatives(self) -> tuple[Variant, ...]:
        """What runs: the candidates, or itself where there is nothing to choose."""
        return self.candidates or (self,)

    @property
    def parts(self) -> tuple[Entry, ...]:
        """What decides, with problem, engine and ``train``, what a trial computes."""
        return (self.learner, self.architecture, self.weighting, self.optimizer, self.schedule, self.penalty)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that it is made of."""
        return (*self.problems, *self.engines, *self.parts, self.train, self.init_from, self.resources)

    @property
    def start(self) -> InitFrom:
        """The trunk that its models start from; nothing ``given`` where they start from scratch."""
        found = self.init_from.config
        return found if isinstance(found, InitFrom) else InitFrom.from_plain({})

    @property
    def device(self) -> str:
        """Where its trials train."""
        return "cuda" if self.resources.spec.get("gpus") else "cpu"

    def resolved(self) -> dict[str, Any]:
        """Every choice that its learner uses, as it would be written in full."""
        return {
            "problem": [{**entry.spec, **({"label": entry.label} if entry.label else {})} for entry in self.problems],
            **(
                {"engines": [entry.name for entry in self.engines]} if all(entry.used for entry in self.engines) else {}
            ),
            "tune": dict(self.tune),
            **{entry.key: dict(entry.spec) for entry in (*self.parts, self.train, self.resources) if entry.used},
            **({"init_from": self.start.model_dump(exclude_none=True)} if self.start.given else {}),
        }


@dataclass(frozen=True)
class Kernels:
    """The kernels of a suite: what is timed, and how."""

    cases: tuple[Entry, ...]
    timing: Entry

    @staticmethod
    def title(case: Entry) -> str:
        """What tables call a case: its label, or its name with its shape."""
        return case.label or f"{case.name} {case.config.shape}"

    def contenders(self, case: Entry) -> tuple[str, ...]:
        """Who competes in a case, in the order of the kernel's own list."""
        chosen = self.timing.config.contenders
        return tuple(name for name in case.config.contenders if chosen is None or name in chosen)

    def resolved(self) -> dict[str, Any]:
        """The section as it would be written in full."""
        cases = [{**case.spec, **({"label": case.label} if case.label else {})} for case in self.cases]
        return {"cases": cases, **self.timing.spec}


@dataclass(frozen=True)
class Suite:
    """A suite file, read and checked. ``expand`` gives its trials."""

    path: Path
    name: str
    description: str
    methods: tuple[Variant, ...]
    baseline: Variant
    seeds: tuple[int, ...]
    kernels: Kernels | None = None
    affinity: tuple[Variant, Variant] | None = None  # a method, and the same with a learner that compares gradients

    @property
    def root(self) -> Path:
        """The folder that relative paths of the suite start from."""
        return self.path.parent

    @property
    def problems(self) -> tuple[Entry, ...]:
        """Every problem of the suite, once."""
        return self.baseline.problems

    def resolved(self) -> dict[str, Any]:
        """The suite as it would be written without any default; reading it again gives the same trials."""
        header = {"suite": self.name, "description": self.description}
        kernels = {"kernels": self.kernels.resolved()} if self.kernels else {}
        return {**header, **(self._training() if self.methods else {}), **kernels}

    def _training(self) -> dict[str, Any]:
        methods = {method.label: method.resolved() for method in self.methods}
        first = next(iter(methods.values()))
        common = {
            key: first[key]
            for key in CHOICES
            if key in first and all(choices.get(key) == first[key] for choices in methods.values())
        }
        baseline = self.baseline.resolved()
        inherited = {key: value for key, value in common.items() if key not in UNINHERITED}
        return {
            **common,
            "methods": {label: _beyond(choices, common) for label, choices in methods.items()},
            "single_task": {
                "label": self.baseline.label,
                **_beyond(baseline, {**inherited, "problem": baseline["problem"]}),
            },
            "seeds": list(self.seeds),
            **({"affinity": self.affinity[0].label} if self.affinity else {}),
        }


def _beyond(choices: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: choices[key] for key in CHOICES if key in choices and (key not in common or choices[key] != common[key])
    }
