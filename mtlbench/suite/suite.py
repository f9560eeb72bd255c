"""The suite: the frozen picture of one suite file, every default filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.judgement import Judgement
from ..core.literature import PublishedNumber
from ..core.parts import PARTS, single
from ..core.protocols import KernelEntry, LearnerEntry, ProblemEntry, WeightingEntry
from ..core.settings import InitFrom, Resources, Timing
from .entries import Entry
from .tree import Place

if TYPE_CHECKING:
    from .frontier import Frontier

BASELINE = "single-task"
PROBE = {"name": "affinity"}  # the learner that compares gradients
UNSHARED = "single"  # the architecture of the baseline
AUTO = "auto"  # of references: those that stand beside the methods by themselves
MAX_TRIALS = 100_000


@dataclass(frozen=True)
class Variant:
    """A method, or the single-task baseline, with everything that it does not change taken from the suite.

    parts       {key: entry} of the parts that it has one of each (``core.parts``)
    tune        lists of values by dotted key, or budget and search: a range for each dotted key
    choice      of a candidate: what it takes
    candidates  every combination of ``tune``, or the points of its search

    What its learner does not use is an entry that is not ``used``; there is one such engine, so that it runs once.
    """

    label: str
    place: Place
    problems: tuple[Entry[ProblemEntry], ...]
    engines: tuple[Entry[Any], ...]
    parts: Mapping[str, Entry[Any]]
    tune: Mapping[str, Any] = field(default_factory=dict)
    choice: str = ""
    candidates: tuple[Variant, ...] = ()

    def __getitem__(self, key: str) -> Entry[Any]:
        """One of its parts."""
        return self.parts[key]

    @property
    def learner(self) -> Entry[LearnerEntry]:
        """Its learner."""
        return self.parts["learner"]

    @property
    def weighting(self) -> Entry[WeightingEntry]:
        """Its weighting."""
        return self.parts["weighting"]

    @property
    def resources(self) -> Entry[Resources]:
        """What one of its trials needs."""
        return self.parts["resources"]

    @property
    def start(self) -> InitFrom:
        """The trunk that its models start from; nothing ``given`` where they start from scratch."""
        settings = self.parts["init_from"].config
        return settings if isinstance(settings, InitFrom) else InitFrom.from_plain({})

    @property
    def alternatives(self) -> tuple[Variant, ...]:
        """What runs: the candidates, or itself where there is nothing to choose."""
        return self.candidates or (self,)

    @property
    def chosen(self) -> bool:
        """Whether its trials are chosen among candidates, so that they are not known in advance."""
        weighting = self.weighting.config
        return bool(self.candidates) or (weighting is not None and weighting.chosen_by_folds)

    @property
    def identity(self) -> Iterator[Entry[Any]]:
        """The parts that decide, with problem and engine, what a trial computes."""
        return (self.parts[key] for key, part in PARTS.items() if part.coordinate)

    @property
    def named(self) -> Iterator[Entry[Any]]:
        """The parts that are entries of tables, whose code decides what a trial computes."""
        return (self.parts[key] for key, part in single() if part.room)

    @property
    def entries(self) -> tuple[Entry[Any], ...]:
        """All that it is made of."""
        return (*self.problems, *self.engines, *self.parts.values())

    @property
    def device(self) -> str:
        """Where its trials train."""
        return "cuda" if self.resources.spec.get("gpus") else "cpu"

    def resolved(self) -> dict[str, Any]:
        """Every part that its learner uses, as it would be written in full."""
        start = {"init_from": self.start.model_dump(exclude_none=True)} if self.start.given else {}
        engines = {"engines": [entry.name for entry in self.engines]} if all(e.used for e in self.engines) else {}
        return {
            "problem": [{**entry.spec, **({"label": entry.label} if entry.label else {})} for entry in self.problems],
            **engines,
            "tune": dict(self.tune),
            **{key: dict(entry.spec) for key, entry in self.parts.items() if entry.used and key != "init_from"},
            **start,
        }


@dataclass(frozen=True)
class Kernels:
    """The kernels of a suite: what is timed, and how."""

    cases: tuple[Entry[KernelEntry], ...]
    timing: Entry[Timing]

    @staticmethod
    def title(case: Entry[KernelEntry]) -> str:
        """What tables call a case: its label, or its name with its shape."""
        return case.label or f"{case.name} {case.checked.shape}"

    def contenders(self, case: Entry[KernelEntry]) -> tuple[str, ...]:
        """Who competes in a case, in the order of the kernel's own list."""
        chosen = self.timing.checked.contenders
        return tuple(name for name in case.checked.contenders if chosen is None or name in chosen)

    def resolved(self) -> dict[str, Any]:
        """The section as it would be written in full."""
        cases = [{**case.spec, **({"label": case.label} if case.label else {})} for case in self.cases]
        return {"cases": cases, **self.timing.spec}


@dataclass(frozen=True)
class References:
    """Learners that methods are seen beside, without being methods; ``by_rule`` where the suite names none itself."""

    variants: tuple[Variant, ...] = ()
    by_rule: bool = True

    def resolved(self) -> Any:
        """As it would be written in full."""
        return AUTO if self.by_rule else [_labelled(variant.learner, variant.label) for variant in self.variants]


@dataclass(frozen=True)
class Suite:
    """A suite file, read and checked. ``expand`` gives its trials."""

    path: Path
    name: str
    description: str
    methods: tuple[Variant, ...]
    baseline: Variant
    seeds: tuple[int, ...]
    judgement: Judgement = field(default_factory=Judgement)
    kernels: Kernels | None = None
    capacity: tuple[str, ...] = ()
    require: tuple[str, ...] = ()  # whose version has to be the same on every node
    references: References = References()
    frontier: Frontier | None = None
    literature: tuple[Entry[PublishedNumber], ...] = ()
    affinity: tuple[Variant, Variant] | None = None  # a method, and the same with a learner that compares gradients

    @property
    def root(self) -> Path:
        """The folder that relative paths of the suite start from."""
        return self.path.parent

    @property
    def problems(self) -> tuple[Entry[ProblemEntry], ...]:
        """Every problem of the suite, once."""
        return self.baseline.problems

    @property
    def trained(self) -> tuple[Variant, ...]:
        """The baseline, the methods, and what the points of the frontier are varied from."""
        return (self.baseline, *self.methods, *((self.frontier.uniform,) if self.frontier else ()))

    def resolved(self) -> dict[str, Any]:
        """The suite as it would be written without any default; reading it again gives the same trials."""
        header: dict[str, Any] = {"suite": self.name, "description": self.description}
        if self.require:
            header["require"] = list(self.require)
        kernels = {"kernels": self.kernels.resolved()} if self.kernels else {}
        return {**header, **(self._training() if self.methods else {}), **kernels}

    def _training(self) -> dict[str, Any]:
        methods = {method.label: method.resolved() for method in self.methods}
        first = next(iter(methods.values()))
        baseline = self.baseline.resolved()
        common = {
            key: first[key]
            for key in PARTS
            if key in first and all(method.get(key) == first[key] for method in methods.values())
        }
        if baseline["tune"] != common.get("tune"):  # the baseline's search would join the suite's
            common.pop("tune", None)
        inherited = {key: value for key, value in common.items() if PARTS[key].inherited}
        return {
            **common,
            "methods": {label: beyond(method, common) for label, method in methods.items()},
            "single_task": {
                "label": self.baseline.label,
                **beyond(baseline, {**inherited, "problem": baseline["problem"]}),
            },
            **({"capacity": list(self.capacity)} if self.capacity else {}),
            "references": self.references.resolved(),
            "seeds": list(self.seeds),
            **self.judgement.model_dump(),
            **({"frontier": self.frontier.resolved(methods, common)} if self.frontier else {}),
            **({"affinity": self.affinity[0].label} if self.affinity else {}),
            **({"literature": [number.checked.written() for number in self.literature]} if self.literature else {}),
        }


def _labelled(entry: Entry[Any], label: str) -> dict[str, Any]:
    """An entry in full, with its label where it is not its name."""
    return {**entry.spec, **({"label": label} if label != entry.spec["name"] else {})}


def beyond(written: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that are not the same in ``common``."""
    return {key: written[key] for key in PARTS if key in written and (key not in common or written[key] != common[key])}
