"""A trial: the frozen, JSON-able coordinates of one run, and the identity made from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

Spec = Mapping[str, Any]  # {"name": …, **parameters}: one entry of a table with its parameters
LABELS = ("suite", "problem_label", "method", "baseline", "resources", "exclusive")


@dataclass(frozen=True)
class Trial:
    """Coordinates of one run. Two trials with equal coordinates are the same trial, whatever they are called.

    What its learner does not use (``core.uses``) is empty.

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
    penalty: Spec = field(default_factory=lambda: {"name": "none"})
    suite: str = ""
    problem_label: str = ""  # the user's own name for the problem, which two tables read by one entry need
    method: str = ""
    baseline: bool = False  # a single-task run that methods are compared with
    resources: Spec = field(default_factory=dict)  # cpus, gpus, timeout in seconds
    exclusive: bool = False  # has its CPUs or GPU to itself, so that its throughput counts

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the coordinates in canonical JSON."""
        text = json.dumps(self.coordinates(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def coordinates(self) -> dict[str, Any]:
        """Everything that can change the outcome."""
        return {key: value for key, value in self.to_json().items() if key not in LABELS}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; ``from_json`` gives the same trial back."""
        return json.loads(json.dumps({f.name: getattr(self, f.name) for f in fields(self)}))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Trial:
        """The trial that ``to_json`` described; unknown keys (of a newer version) are refused by name."""
        unknown = set(value) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown trial fields {sorted(unknown)}: written by another version of mtlbench?")
        return cls(**{**value, "tasks": tuple(value["tasks"])})

    @property
    def problem_name(self) -> str:
        """What the problem is called in tables, unique within one suite."""
        return self.problem_label or str(self.problem["name"])

    @property
    def title(self) -> str:
        """A short human name, unique within one suite."""
        task = f"[{self.tasks[0]}]" if self.baseline else ""
        engine = f"/{self.engine}" if self.engine else ""
        return f"{self.problem_name}/{self.method}{task}{engine}/seed{self.seed}"
