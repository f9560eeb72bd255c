"""What a weighting is: task losses (and more, where it asks) to one weight lambda_t per task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from enum import Flag, auto
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from ..core.config import Config
from ..core.settings import HeadsRule

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Parameter

    from ..core.trial import Spec


class Need(Flag):
    """What a weighting needs at each step; with ``Need(0)``, nothing, an engine may ask for lambda before L."""

    LOSSES = auto()  # the T task losses, detached
    LOSSES_AFTER = auto()  # the losses of the same batch after the update as well
    GRAMIAN = auto()  # G = J J^T, all dot products of the T task gradients
    JACOBIAN = auto()  # the T task gradients themselves
    CROSSED = auto()  # J_1 J_2^T, where J_1 and J_2 are of the two halves of the batch


class Claim(Flag):
    """What a weighting promises of its direction d = J^T lambda, which contracts test on gradients of every kind.

    A weighting that is ``random`` promises it for each draw, one with memory for each step.
    """

    CONVEX = auto()  # lambda >= 0, and sums to 1
    HOMOGENEOUS = auto()  # all gradients times s > 0: d times s
    LINEAR = auto()  # each gradient times c_t > 0: d is linear in c
    INVARIANT = auto()  # each gradient times c_t > 0: d keeps its line
    COMPATIBLE = auto()  # no task is hurt, g_t . d >= 0, wherever some direction helps all tasks
    UNCONFLICTING = auto()  # no task is hurt anywhere
    STRONG = auto()  # d = 0 only where a combination with all lambda_t > 0 is: no task can still gain for free


FLOOR = 1e-20  # far below any loss that is left to be reduced, and large enough to be divided by in float32
GRADIENTS = Need.GRAMIAN | Need.JACOBIAN | Need.CROSSED
Level = Literal["parameters", "representation"]
# h_t, by which a task's own parameters descend h_t grad L_t: lambda_t, 1/T, 1 or 1/L_t
HeadFactor = Literal["weighted", "mean", "unweighted", "logarithm"]


class Shown(NamedTuple):
    """What a weighting sees of a step; tensors that it does not need are None.

    Dot products of gradients come in float64: a weighting tells by their dtype how far they can be trusted (engines
    with kernels form G in float32).
    """

    losses: Tensor  # L [T]
    gramian: Tensor | None = None  # G [T, T]
    jacobian: Tensor | None = None  # J [T, n]
    crossed: Tensor | None = None  # J_1 J_2^T [T, T]


class Weighting(Config):
    """The step descends sum_t lambda_t grad L_t; a weighting says which lambda.

    A non-linear scalarization f(L_1..L_T) is a weighting too: lambda_t = df/dL_t at the current losses gives the same
    update. State lives on the device of the losses and is whatever ``start`` returns.

    lambda is for the parameters that tasks share; by which h_t grad L_t each task's own parameters move, the part
    ``heads`` of a method says (``core.settings.Heads``). ``published`` is the rule of the paper or of its authors'
    code: weightings on losses descend sum_t lambda_t L_t as a whole (weighted); most weightings on gradients add up
    the heads' unweighted gradients, as LibMTL and torchjd do. A task without a label in the batch has gradient 0, and
    its last loss is used again (1 before it has had any).
    """

    needs: ClassVar[Need] = Need.LOSSES
    recordable: ClassVar[bool] = (
        False  # whether a CUDA graph can capture it: all work on the device, all state in tensors
    )
    learned: ClassVar[bool] = False  # whether it has parameters that are trained with the model
    random: ClassVar[bool] = False  # whether it draws from torch's global generator
    signed: ClassVar[bool] = False  # whether weights can be negative
    nominal: ClassVar[bool] = False  # whether the direction is no weighted sum, so that lambda says little about it
    uniform: ClassVar[bool] = False  # whether lambda_t = 1/T at every step
    published: ClassVar[HeadFactor] = "weighted"  # what heads descend in the paper or its authors' code
    ordered: ClassVar[bool] = False  # whether the order of the tasks affects more than the order of the weights
    claims: ClassVar[Claim] = Claim(0)

    @property
    def at_representation(self) -> bool:
        """Whether gradients are with respect to the shared representation, not the shared parameters."""
        return False

    def check(self, tasks: tuple[str, ...]) -> list[str]:
        """The reasons why this weighting cannot be used on these tasks, one sentence each; empty if it can."""
        return []

    def heads(self, rule: HeadsRule) -> HeadFactor:
        """By which factor a task's own parameters descend their gradient under a rule."""
        if self.uniform:
            return "weighted"  # which all rules then come to, at the least cost
        factors: dict[HeadsRule, HeadFactor] = {"own": "mean", "weighted": "weighted", "published": self.published}
        return factors[rule]

    @property
    def reversing(self) -> bool:
        """Whether heads that follow lambda could climb their loss, or would follow a number that is none of theirs."""
        return self.signed or self.nominal

    @property
    def chosen_by_folds(self) -> bool:
        """Whether it stands for several weightings, of which one is chosen by cross-validation."""
        return False

    def candidates(self, tasks: tuple[str, ...]) -> tuple[int, tuple[Spec, ...]]:
        """(K, weightings of which one is chosen by K-fold cross-validation on the training split), or (0, ()) for a
        weighting that stands for itself.
        """
        return 0, ()

    @abstractmethod
    def start(self, tasks: tuple[str, ...], device: device) -> Any:
        """The state before the first step."""

    def parameters(self, state: Any) -> Iterable[Parameter]:
        """Parameters of the weighting that the model's optimizer also trains (log-variances, say)."""
        return ()

    @abstractmethod
    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        """lambda [T] for this step and the next state.

        Fills ``.grad`` of ``parameters(state)``, where there are any.
        """

    def combine(self, jacobian: Tensor, weights: Tensor, state: Any) -> Tensor:
        """The direction [n] that the shared parameters descend (only with JACOBIAN): J^T lambda by default.

        ``state`` is what ``weigh`` returned.
        """
        return weights.to(jacobian.dtype) @ jacobian

    def after_step(self, losses: Tensor, state: Any) -> Any:
        """The next state, from the same batch's losses after the update (only with LOSSES_AFTER)."""
        return state

    def after_epoch(self, state: Any) -> Any:
        """The next state at the end of an epoch."""
        return state
