"""What an architecture is: who owns which parameters, and how inputs become one output per task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.config import Config
from ..core.task import Outline, TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    Inputs = Tensor | Mapping[str, Tensor]

# seeded("trunk") is a context in which modules draw their initial weights from the stream of that name. Parts of the
# same name start equal in every trial of a seed: that pairs a method with its single-task baseline.
Seeded = Callable[..., AbstractContextManager[None]]


class Architecture(Config):
    """Inputs to one output per task. ``engine.model.Model`` holds the modules that ``shared`` and ``task`` build, so
    each parameter is shared or belongs to exactly one task by construction.

    Outputs: [B, classes] logits for classes, [B] logits for a binary task, [B, outputs] values otherwise, with
    the task's positions as further dimensions.
    """

    analytic: ClassVar[bool] = False  # whether it is for problems whose tasks are formulas, not data
    heads_alone: ClassVar[bool] = False  # whether ``predict`` is each task's own module on its features, and no more
    common: ClassVar[bool] = True  # whether the features that heads read mean the same to all tasks

    @property
    def transferable(self) -> bool:
        """Whether there are shared modules, and the same ones whatever the tasks."""
        return True

    def check(self, outline: Outline) -> list[str]:
        """What makes this architecture impossible for a problem, each in one sentence; empty if nothing."""
        return []

    def strangers(self, tasks: Iterable[str]) -> list[str]:
        """What speaks of tasks that are none of these, all that a suite has; each in one sentence."""
        return []

    def front(self, outline: Outline, seeded: Seeded) -> nn.Module | None:
        """Modules that turn the inputs into those of ``behind(outline)``, counted among the shared ones; often none."""
        return None

    def behind(self, outline: Outline) -> Outline:
        """The outline as ``shared`` and ``task`` see it, behind the front."""
        return outline

    @abstractmethod
    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """The modules that all tasks use (an empty nn.Module where there are none)."""

    @abstractmethod
    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """The modules that belong to one task."""

    @abstractmethod
    def represent(self, shared: nn.Module, inputs: Inputs) -> Any:
        """The shared representation, any nesting of tensors: whatever ``predict`` needs of the shared modules."""

    @abstractmethod
    def predict(self, representation: Any, tasks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """One output for each of these tasks from the shared representation."""

    def trunk_and_heads(self, shared: nn.Module, tasks: Sequence[nn.Module]) -> tuple[nn.Module, Sequence[nn.Module]]:
        """What a suite's penalty takes for the trunk and for the heads: the shared modules and the tasks' own."""
        return shared, tasks

    def penalty(self, tasks: Mapping[str, nn.Module]) -> Tensor | None:
        """A differentiable scalar that training adds to the weighted losses; None for none."""
        return None

    @property
    def recordable(self) -> bool:
        """Whether its work, ``penalty`` included, fits into a CUDA graph, as no matrix decomposition does."""
        return True

    def observe(self, shared: nn.Module) -> Mapping[str, float]:
        """Numbers of the shared modules that are worth following, recorded after each epoch."""
        return {}
