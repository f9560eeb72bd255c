"""A trial: the frozen, JSON-able coordinates of one run, and the identity made from them."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Self

from .parts import coordinates

Spec = Mapping[str, Any]  # {"name": …, **parameters}: one entry of a table with its parameters
CANDIDATE, AFFINITY, FRONTIER = "candidate", "affinity", "frontier"  # roles


@dataclass(frozen=True)
class Labels:
    """What a trial is called in tables and how it is scheduled. Labels do not enter its identity, so that a renamed
    method keeps its results.

    problem      the user's name for the problem, which two tables read by one entry need
    baseline     whether it is a single-task run that methods are compared with
    apart        whether it is one of several trials of a seed, one a task, that make up its method; a baseline's are
    reference    whether it only stands beside the methods in tables, without being counted as one of them
    resources    cpus, gpus, and timeout in seconds
    role         "": it represents its method in tables; CANDIDATE: it is tried, so that its method's trial can be
                 chosen; AFFINITY: it shows how tasks affect each other; FRONTIER: it is a point of the scalarization
                 frontier
    point        the point of the scalarization frontier that it is, or is tried for
    choice       what was chosen, or may be: "optimizer.lr=0.01"; what sets it apart from others of its role
    unchosen     why nothing could be chosen, so that it counts as failed and does not run
    waiting      whether its candidates have not all run, so that it is not known yet what it takes
    exclusive    whether it has its CPUs or GPU to itself, so that its throughput counts
    keeps_trunk  whether another trial starts from what it learned
    """

    suite: str = ""
    problem: str = ""
    method: str = ""
    baseline: bool = False
    apart: bool = False
    reference: bool = False
    resources: Spec = field(default_factory=dict)
    role: str = ""
    point: str = ""
    choice: str = ""
    unchosen: str = ""
    waiting: bool = False
    exclusive: bool = False
    keeps_trunk: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, under the keys of a trial's file."""
        return {_KEYS.get(f.name, f.name): getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Labels:
        """The labels among the keys of a trial's file."""
        keys = {f.name: _KEYS.get(f.name, f.name) for f in fields(cls)}
        found = {name: value[key] for name, key in keys.items() if key in value}
        if found.get("role") == FRONTIER and "point" not in found:  # as it was before points could be tuned
            found["point"], found["choice"] = found["choice"], ""
        return cls(**found)

    @property
    def apart_by(self) -> tuple[str, ...]:
        """What sets it apart from other trials of its method: its point, and what it takes while nothing is chosen."""
        return tuple(filter(None, (self.point, "" if self.role in ("", FRONTIER) else self.choice)))


_KEYS = {"problem": "problem_label"}  # the trial's own problem has the short name in its file


@dataclass(frozen=True, kw_only=True)
class Trial(ABC):
    """Coordinates of one run. Two trials with equal coordinates are the same trial, whatever they are called.

    code     a digest of code, of which trials of earlier versions were made; "" since there are ``sources``
    sources  digest of the manifest of the code that computes it (``core.sources``). No coordinate: a result whose code
             has changed is a stale result of the same trial
    """

    kind: ClassVar[str]
    seed: int
    device: str = "cpu"  # "cpu" or "cuda"
    threads: int = 1
    code: str = ""
    sources: str = ""
    labels: Labels = Labels()

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the coordinates in canonical JSON."""
        text = json.dumps(self.coordinates(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def coordinates(self) -> dict[str, Any]:
        """Everything that can change the outcome; what a trial does not have is left out."""
        return {key: value for key, value in self._fields().items() if value != {} and key != "sources"}

    def _fields(self) -> dict[str, Any]:
        """The coordinates in plain JSON types, empty ones too."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "labels"}
        coordinates: dict[str, Any] = json.loads(json.dumps({"kind": self.kind, **values}))
        return coordinates

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, coordinates and labels side by side; ``trial_from_json`` gives the same trial back."""
        return {**self._fields(), **json.loads(json.dumps(self.labels.to_json()))}

    def labelled(self, **labels: Any) -> Self:
        """The same trial under other labels."""
        return replace(self, labels=replace(self.labels, **labels))

    @property
    def problem_name(self) -> str:
        """What the problem is called in tables, unique within one suite."""
        return self.labels.problem

    @property
    def way(self) -> str:
        """What tables show as the engine: the engine of a training, the device of a kernel."""
        return self.device

    @property
    def source(self) -> str:
        """The id of the trial whose trunk it starts from; "" where it starts from none."""
        return ""

    @property
    @abstractmethod
    def title(self) -> str:
        """A short human name, unique within one suite."""


@dataclass(frozen=True, kw_only=True)
class TrainTrial(Trial):
    """A training of some tasks of a problem.

    tasks    those that are trained together
    parts    {coordinate: spec} of ``core.parts``; {} for a part that the learner does not use. ``start`` is the trunk
             that training starts from: {"trial": id} or {"file": path, "sha256": digest}, with "freeze"; {} for none
    data     SHA-256 of the problem's files, so that changed data are a changed trial
    fold     (k, K): trains without part k of K of the training split; (0, 0): on all of it
    workers  processes that train together, each with ``threads`` threads and, on CUDA, a GPU: sums over another number
             of them round otherwise
    """

    kind: ClassVar[str] = "train"
    problem: Spec
    tasks: tuple[str, ...]
    parts: Mapping[str, Spec]
    engine: str
    data: str = ""
    fold: tuple[int, int] = (0, 0)
    workers: int = 1

    def with_parts(self, **parts: Spec) -> TrainTrial:
        """The same trial with other parts."""
        return replace(self, parts={**self.parts, **parts})

    def coordinates(self) -> dict[str, Any]:
        """See ``Trial``; a part or a setting that came later is left out at its default, too."""
        parts = coordinates()
        later = {name: part.as_written for name, part in parts.items() if not part.founding}
        found = {key: value for key, value in super().coordinates().items() if later.get(key) != value}
        return {key: parts[key].identity(value) if key in parts else value for key, value in found.items()}

    def _fields(self) -> dict[str, Any]:
        values = super()._fields()
        first = {key: values.pop(key) for key in ("problem", "tasks")}
        if self.workers == 1:  # which trials had no word for before there could be more
            del values["workers"]
        return {**first, **values.pop("parts"), **values}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrainTrial:
        """What ``to_json`` described."""
        parts = {name: value.get(name, part.as_written) for name, part in coordinates().items()}
        return cls(
            **{key: value[key] for key in ("problem", "seed", "engine", "device", "threads", "data", "code")},
            sources=value.get("sources", ""),
            tasks=tuple(value["tasks"]),
            fold=tuple(value.get("fold", (0, 0))),
            workers=value.get("workers", 1),
            parts=parts,
            labels=Labels.from_json(value),
        )

    @property
    def problem_name(self) -> str:
        """See ``Trial``."""
        return self.labels.problem or str(self.problem["name"])

    @property
    def part(self) -> str:
        """Which part of the training split it leaves out, in words; "" where it leaves out none."""
        return f"fold {self.fold[0] + 1} of {self.fold[1]}" if self.fold[1] else ""

    @property
    def way(self) -> str:
        """See ``Trial``; the device, where its learner has no engine."""
        return self.engine or self.device

    @property
    def source(self) -> str:
        """See ``Trial``."""
        return str(self.parts.get("start", {}).get("trial", ""))

    @property
    def title(self) -> str:
        """``digits/equal/eager/seed0``; brackets hold a baseline's task, a point of the frontier, what a candidate
        takes, and its fold.
        """
        task = f"[{self.tasks[0]}]" if self.labels.baseline or self.labels.apart else ""
        tried = "".join(f"[{each}]" for each in self.labels.apart_by)
        fold = f"[{self.part}]" if self.part else ""
        engine = f"/{self.engine}" if self.engine else ""
        return f"{self.problem_name}/{self.labels.method}{task}{tried}{fold}{engine}/seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class KernelTrial(Trial):
    """The contenders of a kernel timed beside each other in one process, whose number is ``seed``.

    kernel  case, contenders, rounds and seconds
    """

    kind: ClassVar[str] = "kernel"
    kernel: Spec

    def _fields(self) -> dict[str, Any]:
        return {**_NOTHING_TRAINED, **super()._fields()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> KernelTrial:
        """What ``to_json`` described."""
        keys = ("seed", "device", "threads", "code", "kernel")
        sources = value.get("sources", "")
        return cls(**{key: value[key] for key in keys}, sources=sources, labels=Labels.from_json(value))

    @property
    def title(self) -> str:
        """``weighted_adam 200 tensors/cpu/process0``."""
        return f"{self.problem_name}/{self.device}/process{self.seed}"


# Kernel trials were once trainings with empty fields, and their identities still are made of them.
_NOTHING_TRAINED = {"tasks": [], "engine": "", "data": "", "fold": [0, 0], "penalty": {"name": "none"}}
_KINDS: dict[str, type[TrainTrial] | type[KernelTrial]] = {"train": TrainTrial, "kernel": KernelTrial}


def trial_from_json(value: Mapping[str, Any]) -> TrainTrial | KernelTrial:
    """The trial that ``to_json`` described. Raises ValueError for a kind or a field of another version of mtlbench."""
    kind = value.get("kind", "train")
    if kind not in _KINDS:
        raise ValueError(f"unknown kind of trial {kind!r}, expected one of {sorted(_KINDS)}")
    trial = _KINDS[kind].from_json(value)
    unknown = {key for key, content in value.items() if content not in ({}, "")} - set(trial.to_json())
    if unknown:
        raise ValueError(f"unknown trial fields {sorted(unknown)}: written by another version of mtlbench?")
    return trial
