"""Objectives given as formulas, with known Pareto sets: what analytic problems minimise and what the report draws.

Formulas take NumPy arrays and torch tensors alike: ``xp`` is the library, and both call their functions the same.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Objectives(ABC):
    """T functions of one point x [..., d], all to be minimised from ``start`` [d]."""

    start: tuple[float, ...] = ()

    @property
    @abstractmethod
    def lower(self) -> tuple[float, ...]:
        """A lower bound of each function [T]."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the functions are called as tasks [T]: f1 .. fT."""
        return tuple(f"f{t + 1}" for t in range(len(self.lower)))

    @abstractmethod
    def value(self, t: int, x: Any, xp: Any) -> Any:
        """f_t(x), of the shape of x without its last dimension."""

    @abstractmethod
    def pareto_set(self) -> Array:
        """Points along the Pareto set [K, d], in an order in which a line joins them."""

    @abstractmethod
    def gap(self, x: Array) -> float:
        """How far x [d] is from Pareto optimality."""


@dataclass(frozen=True)
class TwoValleys(Objectives):
    r"""Two objectives whose plain sum gets stuck in a valley; ``scale`` multiplies the first.

    .. math::
        f_i &= \ell_i c_1 + q_i c_2, \qquad
        c_1 = \max(\tanh(x_2/2), 0), \qquad c_2 = \max(\tanh(-x_2/2), 0) \\
        \ell_1 &= \log\max(|(-x_1 - 7)/2 - \tanh(-x_2)|, 5·10^{-6}) + 6 \\
        \ell_2 &= \log\max(|(-x_1 + 3)/2 + \tanh(-x_2) + 2|, 5·10^{-6}) + 6 \\
        q_i &= ((\pm x_1 - 7)^2 + 0.1 (x_2 + 8)^2) / 10 - 20 \quad (+ \text{ for } f_1)

    Source: Liu et al., Conflict-Averse Gradient Descent, NeurIPS 2021, appendix; ``scale`` 0.1 is the set-up of Navon
    et al., Multi-Task Learning as a Bargaining Game, ICML 2022, appendix.
    """

    scale: float = 1.0

    @property
    def lower(self) -> tuple[float, float]:
        """-21 and -21, the first scaled: the distance to it is what FAMO divides by, and its authors' code takes these.
        q is above -20 and l above -6.3, and c_1, c_2 are at most 1.
        """
        return -21.0 * self.scale, -21.0

    def value(self, t: int, x: Any, xp: Any) -> Any:
        """The formula above."""
        x1, x2 = x[..., 0], x[..., 1]
        bend, lift = xp.tanh(-x2), xp.tanh(x2 / 2)
        inner = (-x1 - 7) / 2 - bend if t == 0 else (-x1 + 3) / 2 + bend + 2
        valley = xp.log(xp.clip(xp.abs(inner), 5e-6, None)) + 6
        side = x1 - 7 if t == 0 else -x1 - 7
        bowl = (side**2 + 0.1 * (x2 + 8) ** 2) / 10 - 20
        value = valley * xp.clip(lift, 0, None) + bowl * xp.clip(-lift, 0, None)
        return value * self.scale if t == 0 else value

    def pareto_set(self) -> Array:
        """x_1 from -7 to 7 and the x_2 where w grad f_1 = -(1 - w) grad f_2, w = (x_1 + 7) / 14, all scales alike."""
        import numpy as np

        x1 = np.linspace(-7, 7, 1401)
        x2 = np.full_like(x1, -8.0)
        for _ in range(30):  # a contraction by a factor of about 1e-3
            weight, far = (x1 + 7) / 14, 0.01 * (x2 + 8) ** 2 - 20
            mixed = far + (weight * (x1 - 7) ** 2 + (1 - weight) * (x1 + 7) ** 2) / 10
            level = np.tanh(-x2 / 2)
            x2 = -8 + (1 - level**2) / 2 * mixed / (0.02 * level)
        return np.stack([x1, x2], axis=1)

    def gap(self, x: Array) -> float:
        """Distance of (f_1, f_2) to the front, in the space of the objectives."""
        import numpy as np

        front = self.pareto_set()
        between = [self.value(t, x, np) - self.value(t, front, np) for t in (0, 1)]
        return float(np.hypot(*between).min())


@dataclass(frozen=True)
class Bowls(Objectives):
    """f_t(x) = s_t ||x - a_t||^2 / 2: the Pareto set is the convex hull of the centres a_t, whatever the s_t.

    a_t lie evenly on the unit circle of the first two of d coordinates; s_t go from 1 to ``ratio`` in equal factors.
    """

    tasks: int = 3
    dimensions: int = 2
    ratio: float = 1.0

    @property
    def lower(self) -> tuple[float, ...]:
        """Reached at the centres."""
        return (0.0,) * self.tasks

    def centre(self, t: int) -> tuple[float, ...]:
        """a_t [d]."""
        angle = 2 * math.pi * t / self.tasks
        return (math.cos(angle), math.sin(angle), *(0.0,) * (self.dimensions - 2))

    def value(self, t: int, x: Any, xp: Any) -> Any:
        """The formula above."""
        scale = self.ratio ** (t / (self.tasks - 1))
        return sum((x[..., i] - a) ** 2 for i, a in enumerate(self.centre(t))) * (scale / 2)

    def pareto_set(self) -> Array:
        """The border of the hull: the centres, and the first one again."""
        import numpy as np

        return np.array([self.centre(t % self.tasks) for t in range(self.tasks + 1)])

    def gap(self, x: Array) -> float:
        """Distance of x to the hull of the centres."""
        import numpy as np
        from scipy.optimize import nnls

        heavy = 1e4  # makes the weights sum to 1
        centres = self.pareto_set()[:-1].T
        weights, _ = nnls(np.vstack([centres, np.full(self.tasks, heavy)]), np.append(x, heavy))
        return float(np.linalg.norm(centres @ weights - x))


# Which problem of a suite has which objectives: their fields are those of the problem with the same names.
OF_PROBLEM: dict[str, type[Objectives]] = {"toy": TwoValleys, "quadratics": Bowls}


def objectives_of(problem: Mapping[str, Any]) -> Objectives | None:
    """The objectives of a problem as a resolved suite writes it down; None where it has no formulas."""
    kind = OF_PROBLEM.get(problem["name"])
    if kind is None:
        return None
    return kind(**{f.name: problem[f.name] for f in fields(kind) if f.name in problem})
