"""No sharing: the baseline that multi-task learning has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .trunked import Trunked, form_of, of_task
from .trunks import head

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .base import Inputs


class Single(Trunked):
    """A separate network for every task: no parameter is shared.

    output_t = W_t trunk_t(x) + b_t. Every trunk_t has the initial weights of the shared trunk, and every head those of
    the shared architecture's head, so that methods and baseline are paired.
    """

    common: ClassVar[bool] = False

    @property
    def transferable(self) -> bool:
        """Nothing is shared."""
        return False

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """Nothing."""
        from torch import nn

        return nn.Module()

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """Trunk and head of one task."""
        from torch import nn

        form = form_of(outline, task.name)
        with seeded("trunk"):
            trunk = self.body.build(form)
        with seeded("head", task.name):
            return nn.Sequential(trunk, head(self.body.width(form), task, form.rank))

    def trunk_and_heads(self, shared: nn.Module, tasks: Sequence[nn.Module]) -> tuple[nn.Module, Sequence[nn.Module]]:
        """The trunks of all networks, and their heads."""
        from torch import nn

        networks = [list(network.children()) for network in tasks]
        return nn.ModuleList(trunk for trunk, _ in networks), [head for _, head in networks]

    def represent(self, shared: nn.Module, inputs: Inputs) -> Any:
        """The inputs as they are."""
        return inputs

    def predict(self, representation: Any, tasks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """Every network on its task's inputs."""
        return {name: module(of_task(representation, name)) for name, module in tasks.items()}
