"""A whole training step, engine against engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ..core.errors import UnavailableError
from ..engine.table import TABLE
from .base import Contender, Kernel, Makers, Wrong, need_kernels

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LR = 1e-3
_FIRST_CALLS = 10
_CLOSE, _TOLERANCE = (
    1e-4,
    0.01,
)  # of a loss in the first calls and later: rounding errors grow slowly over a training run


def _has_kernels(engine: str) -> bool:
    return "kernel" in TABLE.build({"name": engine}).recipe


class TrainingStep(Kernel):
    """Forward, losses, backward and Adam of a shared MLP with one linear head per task, by every engine."""

    features: int = Field(64, ge=1, description="inputs per row")
    hidden: tuple[int, ...] = Field((128, 128), min_length=1, description="hidden layers of the shared trunk")
    heads: int = Field(4, ge=1, description="tasks")
    classes: int = Field(10, ge=2, description="classes of each task")
    batch_size: int = Field(256, ge=1, description="rows of a step")

    contenders: ClassVar = {name: TABLE.load(name).summary() for name in TABLE}
    ours: ClassVar = frozenset(name for name in TABLE if _has_kernels(name))

    @property
    def shape(self) -> str:
        """The network, its heads and the batch."""
        sizes = "-".join(map(str, (self.features, *self.hidden)))
        return f"MLP {sizes}, {self.heads} heads of {self.classes}, batch {self.batch_size}"

    def traffic(self) -> int:
        """0: a step is bound by matrix products and calls, not by memory."""
        return 0

    def prepare(self, device: torch.device) -> Makers:
        """The batch is common to all; each contender has a model and an optimizer."""
        work = _Steps(self, device)
        return {name: partial(work.of_engine, name) for name in self.contenders}


class _Steps:
    """One batch, and the losses of each step of a model that trains on it in float64."""

    def __init__(self, kernel: TrainingStep, device: torch.device) -> None:
        import torch

        from ..core.task import Outline, TaskSpec

        chance = torch.Generator().manual_seed(0)
        rows, names = kernel.batch_size, [f"head{t}" for t in range(kernel.heads)]
        tasks = tuple(TaskSpec(name, kernel.classes, "cross_entropy") for name in names)
        self.kernel, self.device, self.outline = kernel, device, Outline(tasks, (kernel.features,), rows)
        self.inputs = torch.randn(rows, kernel.features, generator=chance).to(device)
        self.targets = [torch.randint(kernel.classes, (rows,), generator=chance).to(device) for _ in names]
        self.reference = self.training("eager", torch.float64)
        self.expected: list[Tensor] = []

    def of_engine(self, name: str) -> Contender:
        """An engine's step, on a model that starts with the reference's weights."""
        import torch

        if _has_kernels(name):
            need_kernels(self.device)
        step = self.training(name, torch.float32)
        last: list[Tensor] = []

        def call() -> None:
            last[:] = [step()]

        def check(calls: int) -> None:
            if not last:
                raise Wrong("no step was made")
            while len(self.expected) < calls:
                self.expected.append(self.reference())
            error = float((last[0].double() - self.expected[calls - 1]).abs().max())
            allowed = _CLOSE if calls <= _FIRST_CALLS else _TOLERANCE
            if not error <= allowed:
                raise Wrong(f"step {calls}: expected losses within {allowed} of the reference's, got {error:.3g} off")

        return Contender(call, check)

    def training(self, name: str, dtype: torch.dtype) -> Callable[[], Tensor]:
        """Steps on the batch; each returns its task losses, before the update."""
        import torch

        from ..architectures.shared import Shared
        from ..engine import TABLE as ENGINES
        from ..engine.batches import Batch
        from ..engine.graph import graphed
        from ..engine.model import Model
        from ..engine.step import Step
        from ..optim.adam import Adam
        from ..weightings.losses import Equal

        engine = ENGINES.build({"name": name})
        for reason in engine.check(self.device.type):
            raise UnavailableError(reason)
        shared = Shared.from_plain({"trunk": "mlp", "hidden": self.kernel.hidden})
        model = Model(shared, self.outline, 0).to(self.device, dtype)
        weighting = Equal()
        state = weighting.start(self.outline.names, self.device)
        optimizer = Adam.from_plain({"lr": LR}).build(model.parameters(), (), engine.recipe.update)
        step = graphed(Step(engine, model, self.outline, weighting, state, optimizer))
        counts = torch.full((len(self.targets),), float(len(self.inputs)), device=self.device)
        batch = Batch(self.inputs.to(dtype), self.targets, None, counts, len(self.inputs))
        return lambda: step(batch)[0]
