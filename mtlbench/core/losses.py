"""The losses, one row each: what their targets are, the metrics that go with them, and the number they may take.

All else derives from this table or is tested against it: the formulas of the kernels (``csrc/math/losses/table.h``, the
same names in the same order), the torch references (``mtlbench.ops.eager_losses``), and what a suite may name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

# What a target is: the index of a class, 0 or 1, numbers, or a vector of which only the direction counts.
Kind = Literal["classification", "binary", "regression", "direction"]


@dataclass(frozen=True)
class Parameter:
    """The number that a loss takes, under the name that ``torch.nn.functional`` gives it; it must exceed ``above``,
    or, where ``closed``, not fall below it.
    """

    name: str
    default: float = 1.0
    above: float = 0.0
    closed: bool = False

    def admits(self, value: float) -> bool:
        """Whether the value is within the range (NaN and infinity are not)."""
        return (self.above <= value if self.closed else self.above < value) and value < float("inf")

    @property
    def range(self) -> str:
        """``beta >= 0``, for messages."""
        return f"{self.name} {'>=' if self.closed else '>'} {self.above:g}"


@dataclass(frozen=True)
class Loss:
    """One loss; ``metrics`` are reported unless a task names others, and the first of them ranks methods."""

    name: str
    kind: Kind
    metrics: tuple[str, ...]
    parameter: Parameter | None = None

    @property
    def spans_classes(self) -> bool:
        """Whether dimension 1 of its outputs belongs to one position: a row of classes, or one vector."""
        return self.kind in ("classification", "direction")

    def number(self, stated: float | None) -> float:
        """What the loss computes with: the number stated, or the usual one. Raises ValueError where it takes none, or
        not this one.
        """
        if self.parameter is None:
            if stated is not None:
                raise ValueError(f"loss {self.name} takes no parameter, got {stated:g}")
            return 1.0
        if stated is None:
            return self.parameter.default
        if not self.parameter.admits(stated):
            raise ValueError(f"loss {self.name}: expected {self.parameter.range}, got {stated:g}")
        return stated


_ERRORS = ("rmse", "mae", "r2")
_ROWS = (
    Loss("cross_entropy", "classification", ("accuracy", "balanced_accuracy", "macro_f1")),
    Loss("bce_with_logits", "binary", ("accuracy", "balanced_accuracy", "auc")),
    Loss("mse", "regression", _ERRORS),
    Loss("l1", "regression", ("mae", "rmse", "r2")),
    Loss("smooth_l1", "regression", _ERRORS, Parameter("beta", closed=True)),
    Loss("huber", "regression", _ERRORS, Parameter("delta")),
    Loss("cosine", "direction", ("cosine_similarity",)),
)
LOSSES: dict[str, Loss] = {row.name: row for row in _ROWS}

if TYPE_CHECKING:
    LossName = str
else:
    LossName = Literal[tuple(LOSSES)]


def losses_for(*kinds: Kind) -> tuple[str, ...]:
    """The losses of targets of these kinds, in the order of the table: the first is the usual one."""
    return tuple(name for name, row in LOSSES.items() if row.kind in kinds)
