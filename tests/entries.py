"""The classes behind names of the tables, as the kind that their table holds; a registry promises only ``Config``."""

from __future__ import annotations

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.architectures.base import Architecture
from mtlbench.engine import TABLE as ENGINES
from mtlbench.engine.table import Engine
from mtlbench.optim import OPTIMIZERS, Optimizer
from mtlbench.penalties import TABLE as PENALTIES
from mtlbench.penalties.base import Penalty
from mtlbench.problems import TABLE as PROBLEMS
from mtlbench.problems.base import Problem
from mtlbench.weightings import TABLE as WEIGHTINGS
from mtlbench.weightings.base import Weighting


def architecture(name: str) -> type[Architecture]:
    kind = ARCHITECTURES.load(name)
    assert issubclass(kind, Architecture)
    return kind


def engine(name: str) -> type[Engine]:
    kind = ENGINES.load(name)
    assert issubclass(kind, Engine)
    return kind


def optimizer(name: str) -> type[Optimizer]:
    kind = OPTIMIZERS.load(name)
    assert issubclass(kind, Optimizer)
    return kind


def penalty(name: str) -> type[Penalty]:
    kind = PENALTIES.load(name)
    assert issubclass(kind, Penalty)
    return kind


def problem(name: str) -> type[Problem]:
    kind = PROBLEMS.load(name)
    assert issubclass(kind, Problem)
    return kind


def weighting(name: str) -> type[Weighting]:
    kind = WEIGHTINGS.load(name)
    assert issubclass(kind, Weighting)
    return kind
