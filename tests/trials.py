"""Trials for tests, whose fields, parts and labels are given side by side."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from mtlbench.core.parts import coordinates
from mtlbench.core.trial import Labels, TrainTrial


def altered(trial: TrainTrial, **changes: Any) -> TrainTrial:
    """The same trial with other fields, parts and labels."""
    parts = {name: changes.pop(name) for name in list(changes) if name in coordinates()}
    own = {field.name for field in fields(TrainTrial)}
    labels = {field.name: changes.pop(field.name) for field in fields(Labels)
              if field.name in changes and field.name not in own}  # fmt: skip
    return replace(trial.with_parts(**parts).labelled(**labels), **changes)


def train_trial(**changes: Any) -> TrainTrial:
    """A trial of one task, which a test makes into what it needs."""
    specs = {name: part.as_written for name, part in coordinates().items()}
    return altered(TrainTrial(problem={"name": "p"}, tasks=("t",), parts=specs, engine="eager", seed=0), **changes)
