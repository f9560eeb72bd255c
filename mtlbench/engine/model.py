"""An architecture's modules as one model, with parameters sorted by owner and weights drawn from named streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..architectures.base import Architecture
from ..core.errors import MtlbenchError
from ..core.seeding import derive
from ..core.task import Outline

_TRUNK = ("front.", "shared.")


class Model(nn.Module):
    """Inputs, shared by all tasks or {task: inputs}, to one output per task, in the order of the outline."""

    def __init__(self, architecture: Architecture, outline: Outline, seed: int) -> None:
        super().__init__()

        @contextmanager
        def seeded(*names: str) -> Iterator[None]:
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(derive(seed, "model", *names))
                yield

        self.architecture, self.frozen = architecture, False
        self.front = architecture.front(outline, seeded)
        outline = architecture.behind(outline)
        self.shared = architecture.shared(outline, seeded)
        # A list, because a ModuleDict refuses names that users give to tasks ("G3.final", "type").
        self.own = nn.ModuleList(architecture.task(outline, task, seeded) for task in outline.tasks)
        self.by_task = dict(zip(outline.names, self.own, strict=True))

    def forward(self, inputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One output per task."""
        return self.predict(self.represent(inputs))

    def represent(self, inputs: Tensor | Mapping[str, Tensor]) -> Any:
        """The shared representation."""
        return self.architecture.represent(self.shared, inputs if self.front is None else self.front(inputs))

    def predict(self, representation: Any) -> dict[str, Tensor]:
        """One output per task from the shared representation."""
        return self.architecture.predict(representation, self.by_task)

    def predict_task(self, name: str, representation: Any) -> Tensor:
        """The output of one task from the shared representation."""
        return self.architecture.predict(representation, {name: self.by_task[name]})[name]

    def observe(self) -> Mapping[str, float]:
        """Values that describe the state of the shared modules."""
        return self.architecture.observe(self.shared)

    def shared_parameters(self) -> list[nn.Parameter]:
        """Parameters in front of the shared representation."""
        return [*(self.front.parameters() if self.front is not None else ()), *self.shared.parameters()]

    def task_parameters(self, name: str) -> list[nn.Parameter]:
        """Parameters that belong to one task."""
        return list(self.by_task[name].parameters())

    def trunk(self) -> dict[str, Tensor]:
        """A copy of all shared parameters and buffers, by name, on the CPU."""
        trunk = {name: value for name, value in self.state_dict().items() if name.startswith(_TRUNK)}
        return {name: value.detach().cpu().clone() for name, value in trunk.items()}

    def start_from(self, trunk: Mapping[str, Tensor], freeze: bool) -> None:
        """Take over a trained trunk, and leave it as it is where ``freeze`` says so.

        Raises MtlbenchError where it is not one of this model's.
        """
        have, want = _shapes(trunk), _shapes(self.trunk())
        if not want:
            raise MtlbenchError(
                "a trunk to start from expects an architecture that shares parameters between tasks, got one without: "
                "use architecture shared"
            )
        if have != want:
            name = next(name for name in (*want, *have) if have.get(name) != want.get(name))
            raise MtlbenchError(
                "expected a trunk with this model's shared parameters, which do not depend on the tasks, got others: "
                f"{name} is {have.get(name, 'missing')} instead of {want.get(name, 'none')}; give both one trunk and "
                "the same kind of inputs, as architecture shared does"
            )
        self.load_state_dict(trunk, strict=False)
        self.frozen = freeze
        for part in self._shared_parts() if freeze else ():
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Model:
        """A frozen trunk stays a fixed function: no dropout, and batch statistics do not change."""
        super().train(mode)
        for part in self._shared_parts() if self.frozen else ():
            part.eval()
        return self

    def _shared_parts(self) -> list[nn.Module]:
        return [part for part in (self.front, self.shared) if part is not None]

    def trunk_and_heads(self) -> tuple[nn.Module, Sequence[nn.Module]]:
        """What a suite's penalty regards as the trunk, encoders included, and as the heads."""
        trunk, heads = self.architecture.trunk_and_heads(self.shared, list(self.own))
        return (trunk if self.front is None else nn.ModuleList([self.front, trunk])), heads

    def penalty(self) -> Tensor | None:
        """The architecture's own term of the objective."""
        return self.architecture.penalty(self.by_task)


def parameter_count(architecture: Architecture, outline: Outline) -> int:
    """How many parameters a model of these tasks trains, without memory for them; 0 where only its building can tell,
    as with a module of a user's own that cannot be built of shapes alone.
    """
    try:
        with torch.device("meta"):
            model = Model(architecture, outline, seed=0)
    except Exception:  # the module may be the user's own: building it may raise anything
        return 0
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _shapes(state: Mapping[str, Tensor]) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in state.items()}
