"""The interface of architectures: which parameters are shared, and how inputs become one output per task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..core.config import Config
from ..core.task import Outline, TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    Inputs = Tensor | Mapping[str, Tensor]

# seeded("trunk") is a context in which modules draw their initial weights from the random stream of that name. Parts of
# the same name have equal initial weights in every trial of a seed, which pairs a method with its single-task baseline.
Seeded = Callable[..., AbstractContextManager[None]]


class Architecture(Config):
    """Maps inputs to one output per task. ``engine.model.Model`` holds the modules that ``shared`` and ``task`` build,
    so by construction each parameter either is shared or belongs to exactly one task.

    Outputs: [B, classes] logits for classes, [B] logits for a binary task, [B, outputs] values otherwise, with
    the task's positions as further dimensions.
    """

    analytic: ClassVar[bool] = False  # whether it is for analytic problems, whose tasks are formulas instead of data
    heads_alone: ClassVar[bool] = (
        False  # whether ``predict`` does no more than apply each task's module to its features
    )
    common: ClassVar[bool] = True  # whether the heads of all tasks read features of the same meaning

    @property
    def transferable(self) -> bool:
        """Whether there are shared modules, and they are the same for any set of tasks."""
        return True

    def check(self, outline: Outline) -> list[str]:
        """The reasons why this architecture cannot be used on a problem, one sentence each; empty if it can."""
        return []

    def strangers(self, tasks: Iterable[str]) -> list[str]:
        """The settings that name a task outside ``tasks``, which are all tasks of a suite; one sentence each."""
        return []

    def scaled(self, factor: float) -> Self:
        """The same architecture with the widths of its layers times ``factor``; itself where it has none."""
        return self

    def front(self, outline: Outline, seeded: Seeded) -> nn.Module | None:
        """Modules that convert the inputs to those of ``behind(outline)``, as part of the shared ones; usually None."""
        return None

    def behind(self, outline: Outline) -> Outline:
        """The outline with inputs as they are after ``front``, which ``shared`` and ``task`` are built for."""
        return outline

    @abstractmethod
    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """The modules that all tasks use (an empty nn.Module if there are none)."""

    @abstractmethod
    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """The modules that belong to one task."""

    @abstractmethod
    def represent(self, shared: nn.Module, inputs: Inputs) -> Any:
        """The shared representation, a tensor or any nesting of tensors: all that ``predict`` needs as its input."""

    @abstractmethod
    def predict(self, representation: Any, tasks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """The output of each of these tasks, from the shared representation."""

    def trunk_and_heads(self, shared: nn.Module, tasks: Sequence[nn.Module]) -> tuple[nn.Module, Sequence[nn.Module]]:
        """What a suite's penalty regards as trunk and as heads: the shared and the task-specific modules."""
        return shared, tasks

    def penalty(self, tasks: Mapping[str, nn.Module]) -> Tensor | None:
        """A differentiable scalar that training adds to the weighted losses; None for none."""
        return None

    @property
    def recordable(self) -> bool:
        """Whether a CUDA graph can capture it, ``penalty`` included; matrix decompositions, for one, cannot be."""
        return True

    def observe(self, shared: nn.Module) -> Mapping[str, float]:
        """Values that describe the state of the shared modules, recorded after each epoch."""
        return {}
