"""Methods that use curvature and evaluate the objective several times per step, on the whole training split."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ..core.errors import UnavailableError
from .base import FIXED_WEIGHTS, Optimizer, Update

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer as TorchOptimizer

EVALUATIONS = 25  # of the objective per iteration of L-BFGS, at most
EXACT_LIMIT = 2_000  # parameters; the Hessian costs that many backward passes a step


class Curved(Optimizer):
    """One step per epoch, on the whole training split; task weights are fixed at the start of the step."""

    updates: ClassVar[tuple[Update, ...]] = ("loop",)
    whole_split: ClassVar[bool] = True
    divisible: ClassVar[bool] = False  # the objective is evaluated, and differentiated twice, within a step
    trains_weightings: ClassVar[bool] = False

    lr: float = Field(1.0, gt=0, description="first step length that the line search tries")

    @staticmethod
    def _parameters(model: Iterable[Parameter], weighting: Iterable[Parameter]) -> list[Parameter]:
        if list(weighting):
            raise UnavailableError(FIXED_WEIGHTS)
        return [parameter for parameter in model if parameter.requires_grad]


class LBFGS(Curved):
    """L-BFGS: a quasi-Newton step from the last gradients, with a line search.

    An epoch is one step of ``iterations`` iterations on the whole training split; ``train.batch_size`` is not used.
    With the strong Wolfe line search, an iteration makes a variable number of passes over the data, so methods should
    be compared by seconds rather than epochs. Dropout uses the same mask throughout a step. Source: Liu and Nocedal, On
    the Limited Memory BFGS Method for Large Scale Optimization, Mathematical Programming 1989.
    """

    iterations: int = Field(1, ge=1, description="iterations per step")
    history: int = Field(10, ge=1, description="number of gradient differences stored")
    line_search: Literal["strong_wolfe"] | None = Field("strong_wolfe", description="null: steps of length lr")

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """torch.optim.LBFGS."""
        import torch

        return torch.optim.LBFGS(
            self._parameters(model, weighting),
            self.lr,
            max_iter=self.iterations,
            max_eval=EVALUATIONS * self.iterations,  # torch's default limit leaves no line search to a single iteration
            history_size=self.history,
            line_search_fn=self.line_search,
        )


class Newton(Curved):
    """Damped Newton: theta <- theta - t (H + mu I)^-1 g, t from backtracking.

    ``free`` solves by conjugate gradients on Hessian-vector products and stops at negative curvature (Algorithm 7.1);
    ``exact`` forms H, raises mu until H + mu I is positive definite (Algorithm 3.3), and is limited to 2,000
    parameters. An epoch is one step on the whole training split; ``train.batch_size`` is not used. Dropout uses the
    same mask throughout a step. Every step reads a few values back from the device. Source: Nocedal and Wright,
    Numerical Optimization, 2006, chapter 3.
    """

    hessian: Literal["free", "exact"] = Field("free", description="conjugate gradients, or the matrix (2,000 at most)")
    damping: float = Field(1e-3, ge=0, description="mu, added to the diagonal of the Hessian")
    iterations: int = Field(50, ge=1, description="conjugate gradient iterations per step, at most")

    def check_size(self, parameters: Callable[[], int]) -> list[str]:
        """The exact Hessian has a limit on the number of parameters."""
        if self.hessian == "free" or (count := parameters()) <= EXACT_LIMIT:
            return []
        return [
            f"hessian: exact expects at most {EXACT_LIMIT:,} parameters, got {count:,}: set hessian: free, or choose a "
            "smaller architecture"
        ]

    def build(self, model: Iterable[Parameter], weighting: Iterable[Parameter], update: Update) -> TorchOptimizer:
        """mtlbench.optim.newton.DampedNewton. Raises UnavailableError above the limit of the exact Hessian."""
        from .newton import DampedNewton

        parameters = self._parameters(model, weighting)
        for sentence in self.check_size(lambda: sum(parameter.numel() for parameter in parameters)):
            raise UnavailableError(sentence)
        return DampedNewton(parameters, self.lr, self.damping, self.hessian == "exact", self.iterations)
