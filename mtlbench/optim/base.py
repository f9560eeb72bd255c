"""The interface of optimizers: from parameters, their gradients and an engine's form of update to new parameters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..core.config import Config

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer as TorchOptimizer

Update = Literal["loop", "foreach", "fused", "kernel"]
Beta = Annotated[float, Field(ge=0, lt=1)]
FLAGS: dict[Update, dict[str, bool]] = {  # what torch's optimizers call the updates
    "loop": {"foreach": False, "fused": False},
    "foreach": {"foreach": True, "fused": False},
    "fused": {"foreach": False, "fused": True},
}
BY: dict[Update, str] = {
    "loop": "a loop over the parameters",
    "foreach": "torch's foreach operations",
    "fused": "torch's fused kernels",
    "kernel": "mtlbench's kernels",
}
FIXED_WEIGHTS = (
    "expected a weighting without parameters of its own that looks at losses alone, got another: a line search keeps "
    "the task weights fixed; choose such a weighting, or a first-order optimizer"
)


class Optimizer(Config):
    """How the combined gradient updates the parameters."""

    updates: ClassVar[tuple[Update, ...]] = ("loop", "foreach", "fused")
    momentum_key: ClassVar[str] = ""  # what torch's parameter groups call the decay of the first moment
    whole_split: ClassVar[bool] = (
        False  # whether every step uses the whole training split, so that an epoch is one step
    )
    divisible: ClassVar[bool] = True  # whether several processes can take its steps together (``engine.distributed``)
    trains_weightings: ClassVar[bool] = True  # whether it can also train a weighting's parameters

    @property
    def scale_free(self) -> bool:
        """Whether (nearly) the same steps are taken if all gradients are multiplied by a constant, so that the sum of
        the task weights does not act as a learning rate.
        """
        return False

    lr: float = Field(1e-3, gt=0, description="learning rate")

    def check(self, update: Update) -> list[str]:
        """Why an engine's update is impossible, as phrases that follow "optimizer x "; empty if it is possible."""
        return [] if update in self.updates else [f"has no update by {BY[update]}"]

    def check_weighting(self, moves: bool) -> list[str]:
        """Why a weighting is impossible with this optimizer; ``moves`` tells whether the weighting has parameters or
        uses gradients.
        """
        return [FIXED_WEIGHTS] if moves and not self.trains_weightings else []

    def check_size(self, parameters: Callable[[], int]) -> list[str]:
        """Why a number of parameters is impossible; only an optimizer with a limit calls ``parameters``."""
        return []

    def batch_size(self, chosen: int, rows: int) -> int:
        """Rows of one step: ``train.batch_size``, or the whole training split if the method is defined on it."""
        return max(rows, 1) if self.whole_split else chosen

    @abstractmethod
    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """The optimizer of the model's and the weighting's parameters: torch's, computed parameter by parameter (loop),
        with one call per operation (foreach) or with one call per update (fused), or mtlbench's kernel.

        An optimizer whose ``step`` requires a closure may evaluate the objective any number of times; see
        ``engine.closure``.
        """


class Decayed(Optimizer):
    """An optimizer with weight decay."""

    weight_decay: float = Field(0.0, ge=0, description="of the model's parameters, never of a weighting's")

    def _groups(self, model: Iterable[Parameter], weighting: Iterable[Parameter]) -> list[dict[str, Any]]:
        """Parameter groups; a weighting's have no decay, which would pull them towards arbitrary weights."""
        extra = list(weighting)
        return [{"params": list(model)}, *([{"params": extra, "weight_decay": 0.0}] if extra else [])]
