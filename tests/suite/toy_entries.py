"""Small entries for tests of suites: every kind of parameter, no heavy import."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mtlbench.core.config import Config
from mtlbench.core.parts import PARTS
from mtlbench.core.protocols import ProblemEntry
from mtlbench.core.registry import Registry
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.suite.entries import Entry


class Digits(Config):
    """Three tasks on one input."""

    noise: float = Field(0.0, ge=0)

    def files(self, root: Path) -> tuple[Path, ...]:
        return ()

    def outline(self, root: Path) -> Outline:
        tasks = (TaskSpec("digit", 10, "cross_entropy"), TaskSpec("parity", 1, "bce_with_logits"))
        return Outline(tasks, (1, 8, 8), 1797)


def outline_of(problem: Entry[ProblemEntry], root: Path) -> Outline:
    """What is known of the digits of a suite."""
    assert isinstance(problem.config, Digits)
    return problem.config.outline(root)


class Table(Config):
    """A table from a file."""

    path: str = Field(description="the file")
    targets: tuple[str, ...] = Field(description="columns to predict")


class Trunk(Config):
    """A nested model."""

    width: int = Field(8, ge=1)
    kind: Literal["mlp", "cnn"] = "mlp"


class Single(Config):
    """One network a task."""

    hidden: tuple[int, ...] | int = (64,)
    trunk: Trunk = Trunk()


class Shared(Config):
    """Hard sharing."""

    hidden: tuple[int, ...] | int = (64,)
    trunk: Trunk = Trunk()
    dropout: float = Field(0.0, ge=0, lt=1)


class Weighting(Config):
    """A weighting that stands for itself."""

    uniform: ClassVar[bool] = False

    @property
    def chosen_by_folds(self) -> bool:
        return False

    def candidates(self, tasks: tuple[str, ...]) -> tuple[int, tuple[dict[str, object], ...]]:
        return 0, ()


class Equal(Weighting):
    """No parameters."""


class Fixed(Weighting):
    """Given weights."""

    weights: dict[str, float]
    normalize: bool = False

    @model_validator(mode="after")
    def _sum(self) -> Fixed:
        if not self.normalize and abs(sum(self.weights.values()) - 1) > 1e-6:
            raise ValueError(f"weights sum to {sum(self.weights.values()):g}, expected 1; or set normalize: true")
        return self


class Adam(Config):
    """An optimizer."""

    lr: float = Field(1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    foreach: bool | None = None


class Sgd(Config):
    """Another optimizer."""

    lr: float = Field(gt=0, description="learning rate")


class Engine(Config):
    """An engine."""

    def check(self, device: str) -> list[str]:
        return []


class Constant(Config):
    """A schedule."""


class Step(Config):
    """A schedule with a required parameter."""

    every: int


class Free(Config):
    """No penalty."""


class Gradient(Config):
    """A learner."""

    @classmethod
    def uses(cls, part: str) -> bool:
        return True

    def stages(self, tasks: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        return (tasks,)


class Closed(Gradient):
    """A learner that uses nothing of the machinery of training."""

    @classmethod
    def uses(cls, part: str) -> bool:
        return False

    penalty: float = 1.0


class Copy(Config):
    """A kernel."""

    contenders: ClassVar = {"eager": "", "fused": ""}
    size: int = Field(8, ge=1)

    @property
    def shape(self) -> str:
        """In a few words."""
        return f"of {self.size}"


class NotAConfig:
    """Not an entry."""


def _rows(**rows: str) -> dict[str, str]:
    return {name: f"{__name__}:{row}" for name, row in rows.items()}


TABLES = {
    "problem": Registry("problems", _rows(digits="Digits", table="Table")),
    "architecture": Registry("architectures", _rows(single="Single", shared="Shared")),
    "weighting": Registry("weightings", _rows(equal="Equal", fixed="Fixed", uncertainty="Equal")),
    "learner": Registry("learners", _rows(gradient="Gradient", closed="Closed")),
    "optimizer": Registry("optimizers", _rows(adam="Adam", sgd="Sgd")),
    "schedule": Registry("schedules", _rows(constant="Constant", step="Step")),
    "penalty": Registry("penalties", _rows(none="Free")),
    "engine": Registry("engines", _rows(eager="Engine", fused="Engine")),
    "kernel": Registry("kernels", _rows(copy="Copy")),
}
# Parts that these tests are not about have one entry, their default.
TABLES |= {
    part.room: Registry(part.room, _rows(**{part.default["name"]: "Free"}))
    for part in PARTS.values()
    if part.room and part.room not in TABLES
}
