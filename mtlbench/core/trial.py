"""A trial: the frozen, JSON-able coordinates of one run, and the identity made from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

Spec = Mapping[str, Any]  # {"name": …, **parameters}: one entry of a table with its parameters
LABELS = (
    "suite", "problem_label", "method", "baseline", "resources", "exclusive", "role", "choice", "unchosen",
    "waiting", "keeps_trunk",
)  # fmt: skip
PARTS = ("learner", "architecture", "weighting", "optimizer", "schedule", "penalty", "start")  # what makes a method
CANDIDATE, AFFINITY = "candidate", "affinity"  # roles


def names(spec: Any) -> Iterator[str]:
    """The name of an entry, and those of the entries that its parameters describe."""
    if isinstance(spec, Mapping):
        yield from (str(value) for key, value in spec.items() if key == "name")
        yield from (name for value in spec.values() for name in names(value))


@dataclass(frozen=True)
class Trial:
    """Coordinates of one run. Two trials with equal coordinates are the same trial, whatever they are called.

    A trial of kind "train" trains tasks of a problem. One of kind "kernel" times the contenders of a kernel beside each
    other in one process, and ``seed`` is the number of the process; what only training has is empty there. What the
    learner of a training does not use (``core.uses``) is empty, too.

    Labels (the last fields) name the trial in tables or say how it is scheduled; they do not enter the id, so a
    renamed method keeps its results.
    """

    problem: Spec
    tasks: tuple[str, ...]  # the tasks trained together
    learner: Spec
    architecture: Spec
    weighting: Spec
    engine: str
    optimizer: Spec
    schedule: Spec
    train: Spec
    seed: int
    device: str = "cpu"  # "cpu" or "cuda"
    threads: int = 1
    data: str = ""  # SHA-256 of the problem's files, so that changed data is a changed trial
    code: str = ""  # SHA-256 of the source of the user's own entries, so that changed code is a changed trial
    kind: str = "train"
    fold: tuple[int, int] = (0, 0)  # (k, K): trains without part k of K of the training split; (0, 0): on all of it
    penalty: Spec = field(default_factory=lambda: {"name": "none"})
    # Whose trunk it starts from: {"trial": id} or {"file": path, "sha256": digest}, with "freeze"; {}: from scratch
    start: Spec = field(default_factory=dict)
    kernel: Spec = field(default_factory=dict)  # case, contenders, rounds and seconds of a kernel trial
    suite: str = ""
    problem_label: str = ""  # the user's own name for the problem, which two tables read by one entry need
    method: str = ""
    baseline: bool = False  # a single-task run that methods are compared with
    resources: Spec = field(default_factory=dict)  # cpus, gpus, timeout in seconds
    role: str = (
        ""  # "": stands for its method in tables; CANDIDATE: tried out, so that its method's trial can be chosen;
        # AFFINITY: shows what tasks do to each other
    )
    choice: str = ""  # what was chosen, or may be: "optimizer.lr=0.01"
    unchosen: str = ""  # why nothing could be chosen, so that it stands as failed and does not run
    waiting: bool = False  # its candidates have not all run, so that it is not known yet what it takes
    exclusive: bool = False  # has its CPUs or GPU to itself, so that its throughput counts
    keeps_trunk: bool = False  # another trial starts from what it learned

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the coordinates in canonical JSON."""
        text = json.dumps(self.coordinates(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def coordinates(self) -> dict[str, Any]:
        """Everything that can change the outcome; what a kind of trial does not have is left out."""
        return {key: value for key, value in self.to_json().items() if key not in LABELS and value != {}}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; ``from_json`` gives the same trial back."""
        return json.loads(json.dumps({f.name: getattr(self, f.name) for f in fields(self)}))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Trial:
        """The trial that ``to_json`` described; unknown keys (of a newer version) are refused by name."""
        unknown = set(value) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown trial fields {sorted(unknown)}: written by another version of mtlbench?")
        return cls(**{**value, "tasks": tuple(value["tasks"]), "fold": tuple(value.get("fold", (0, 0)))})

    @property
    def problem_name(self) -> str:
        """What the problem is called in tables, unique within one suite."""
        return self.problem_label or str(self.problem["name"])

    @property
    def part(self) -> str:
        """Which part of the training split it leaves out, in words; "" where it leaves out none."""
        return f"fold {self.fold[0] + 1} of {self.fold[1]}" if self.fold[1] else ""

    @property
    def way(self) -> str:
        """What tables put where engines stand: the engine of a training, the device of a kernel."""
        return self.engine or self.device

    @property
    def title(self) -> str:
        """A short human name, unique within one suite."""
        if self.kind == "kernel":
            return f"{self.problem_name}/{self.device}/process{self.seed}"
        task = f"[{self.tasks[0]}]" if self.baseline else ""
        tried = f"[{self.choice}]" if self.role else ""
        fold = f"[{self.part}]" if self.part else ""
        engine = f"/{self.engine}" if self.engine else ""
        return f"{self.problem_name}/{self.method}{task}{tried}{fold}{engine}/seed{self.seed}"
