"""The weightings that remember, in NumPy and float64, each from its paper's equations and one step at a time.

Every form takes a step and returns lambda [T]; ``direction`` is what the shared parameters then descend.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SGD = 0.05  # the learning rate of learned parameters


class Seen(NamedTuple):
    """What happens in a step, and the draws of a weighting that draws."""

    ends_epoch: bool
    losses: Array  # [T]
    after: Array  # [T], of the same batch after the update
    jacobian: Array  # [T, n]
    crossed: Array  # [T, T]
    order: Array  # [T, T - 1], which task each task meets first, second …


class Form:
    """One weighting between its steps."""

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks
        self.begin()

    def begin(self) -> None:
        """Set what is remembered."""

    def step(self, seen: Seen) -> Array:
        """lambda of this step."""
        raise NotImplementedError

    def direction(self, seen: Seen, weights: Array) -> Array:
        """sum_t lambda_t g_t."""
        return weights @ seen.jacobian


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


def onto_simplex(y: Array) -> Array:
    """By bisection on the shift that makes the positive parts sum to 1."""
    low, high = y.min() - 1, y.max()
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(y - middle, 0).sum() > 1 else (low, middle)
    x = np.maximum(y - high, 0)
    return np.asarray(x / x.sum())


def impartial(jacobian: Array) -> Array:
    """IMTL-G for independent gradients, equation 2."""
    unit = jacobian / np.linalg.norm(jacobian, axis=1, keepdims=True)
    d, u = jacobian[:1] - jacobian[1:], unit[:1] - unit[1:]
    others = jacobian[0] @ u.T @ np.linalg.inv(d @ u.T)
    return np.append(1 - others.sum(), others)


class Adam:
    """Kingma and Ba, Algorithm 1, with the decay in the gradient."""

    def __init__(self, x: Array, lr: float, decay: float = 0.0) -> None:
        self.x, self.lr, self.decay = x, lr, decay
        self.m, self.v, self.t = np.zeros_like(x), np.zeros_like(x), 0

    def step(self, slope: Array) -> None:
        slope = slope + self.decay * self.x
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * slope
        self.v = 0.999 * self.v + 0.001 * slope**2
        m, v = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
        self.x = self.x - self.lr * m / (np.sqrt(v) + 1e-8)


class Uncertainty(Form):
    """Kendall et al., equation 7, in s = log sigma^2."""

    def begin(self) -> None:
        self.s = np.zeros(self.tasks)

    def step(self, seen: Seen) -> Array:
        weights = np.exp(-self.s) / 2
        self.s = self.s - SGD * (1 - np.exp(-self.s) * seen.losses) / 2
        return weights


class IMTLL(Form):
    """Liu et al. 2021, equation 6."""

    def begin(self) -> None:
        self.s = np.zeros(self.tasks)

    def step(self, seen: Seen) -> Array:
        weights = np.exp(self.s)
        self.s = self.s - SGD * (weights * seen.losses - 1)
        return weights


class IMTL(IMTLL):
    """Liu et al. 2021, Algorithm 1: equation 2 on the gradients of the losses that equation 6 has scaled."""

    def step(self, seen: Seen) -> Array:
        scales = super().step(seen)
        return impartial(scales[:, None] * seen.jacobian) * scales


class DWA(Form):
    """Liu et al. 2019, equation 7."""

    def begin(self) -> None:
        self.now: list[Array] = []
        self.epochs: list[Array] = []

    def step(self, seen: Seen) -> Array:
        weights = np.ones(self.tasks)
        if len(self.epochs) >= 2:
            weights = self.tasks * softmax(self.epochs[-1] / self.epochs[-2] / 2.0)
        self.now.append(seen.losses)
        if seen.ends_epoch:
            self.epochs.append(np.mean(self.now, axis=0))
            self.now = []
        return weights


class FAMO(Form):
    """Liu et al. 2023, Algorithm 2, with the code's 1e-8 on the losses."""

    def begin(self) -> None:
        self.logits = Adam(np.zeros(self.tasks), 0.025, 1e-3)

    def step(self, seen: Seen) -> Array:
        z = softmax(self.logits.x)
        before, after = seen.losses + 1e-8, seen.after + 1e-8
        gain = np.log(before) - np.log(after)
        self.logits.step(z * (gain - z @ gain))
        return np.asarray(z / before / (z / before).sum())


class GradNorm(Form):
    """Chen et al. 2018, Algorithm 1, by plain steps relative to the mean length."""

    def begin(self) -> None:
        self.weights, self.first = np.ones(self.tasks), np.zeros(0)

    def step(self, seen: Seen) -> Array:
        weights = self.weights
        self.first = self.first if len(self.first) else seen.losses
        lengths = np.linalg.norm(seen.jacobian, axis=1)
        ratios = seen.losses / self.first
        wanted = (weights * lengths).mean() * (ratios / ratios.mean()) ** 1.5
        slope = lengths * np.sign(weights * lengths - wanted)
        moved = np.maximum(weights - 0.025 * slope / lengths.mean(), 0.01)
        self.weights = moved * self.tasks / moved.sum()
        return weights


class DBMTL(Form):
    """Lin et al. 2023, equations 1 and 2."""

    def begin(self) -> None:
        self.tracked, self.steps = np.zeros(0), 0

    def step(self, seen: Seen) -> Array:
        of_logarithms = seen.jacobian / seen.losses[:, None]
        share = 0.9 / (self.steps + 1) ** 0.5
        self.tracked = share * self.tracked + (1 - share) * of_logarithms if self.steps else of_logarithms
        self.steps += 1
        lengths = np.linalg.norm(self.tracked, axis=1)
        return np.asarray(lengths.max() / lengths)

    def direction(self, seen: Seen, weights: Array) -> Array:
        return weights @ self.tracked


class MoCo(Form):
    """Fernando et al. 2023, equations 5 and 6."""

    def begin(self) -> None:
        self.weights, self.tracked = np.full(self.tasks, 1 / self.tasks), np.zeros(0)

    def step(self, seen: Seen) -> Array:
        self.tracked = (self.tracked + seen.jacobian) / 2 if len(self.tracked) else seen.jacobian
        self.weights = onto_simplex(self.weights - 0.1 * self.tracked @ (self.tracked.T @ self.weights))
        return self.weights

    def direction(self, seen: Seen, weights: Array) -> Array:
        return weights @ self.tracked


class AutoLambda(Form):
    """Liu et al. 2022: the slope of the other half's losses after a step, at its start."""

    def begin(self) -> None:
        self.weights = Adam(np.full(self.tasks, 0.1), 1e-4)

    def step(self, seen: Seen) -> Array:
        self.weights.step(-seen.crossed.sum(1))
        self.weights.x = np.maximum(self.weights.x, 0)
        return self.weights.x


class Smoothed(Form):
    """Zhou et al. 2022, Algorithm 1, around IMTL-G."""

    def begin(self) -> None:
        self.weights = np.zeros(0)

    def step(self, seen: Seen) -> Array:
        newest = impartial(seen.jacobian)
        self.weights = 0.9 * self.weights + 0.1 * newest if len(self.weights) else newest
        return self.weights


class GradVac(Form):
    """Wang et al. 2021, equation 2, on the gradients themselves."""

    def begin(self) -> None:
        self.targets = np.zeros((self.tasks, self.tasks))

    def step(self, seen: Seen) -> Array:
        g, total = seen.jacobian, np.zeros(self.tasks)
        for t in range(self.tasks):
            own, shares = g[t].copy(), np.eye(self.tasks)[t]
            for u in seen.order[t].astype(int):
                length, other = np.linalg.norm(own), np.linalg.norm(g[u])
                cosine, target = own @ g[u] / (length * other), self.targets[t, u]
                if cosine < target:
                    sine = np.sqrt(1 - target**2)
                    share = length * (target * np.sqrt(1 - cosine**2) - cosine * sine) / (other * sine)
                    own, shares[u] = own + share * g[u], shares[u] + share
                self.targets[t, u] = 0.5 * target + 0.5 * cosine
            total += shares
        return total


class PCD(Form):
    """Priority-constrained descent: each set of active constraints is tried."""

    def begin(self) -> None:
        self.squares, self.steps = np.zeros(self.tasks), 0

    def step(self, seen: Seen) -> Array:
        self.steps += 1
        self.squares = 0.999 * self.squares + 0.001 * (seen.jacobian**2).sum(1)
        scales = 1 / np.sqrt(self.squares / (1 - 0.999**self.steps))
        g = scales[:, None] * seen.jacobian
        levels = 0.02 * (g**2).sum(1)
        for size in range(self.tasks):
            for active in map(list, combinations(range(1, self.tasks), size)):
                shares = np.eye(self.tasks)[0]
                shares[active] = np.linalg.solve(g[active] @ g[active].T, levels[active] - g[active] @ g[0])
                d = shares @ g
                if (shares >= 0).all() and (g[1:] @ d >= levels[1:] * (1 - 1e-9)).all():
                    return np.asarray(shares * scales * np.linalg.norm(seen.jacobian[0]) / np.linalg.norm(d))
        raise AssertionError("no set of constraints")


class SDMGrad(Form):
    """Xiao et al. 2023, Algorithm 1, with the code's 20 inner steps with momentum."""

    def begin(self) -> None:
        self.w = np.full(self.tasks, 1 / self.tasks)

    def step(self, seen: Seen) -> Array:
        a = seen.crossed / np.sqrt(np.maximum(np.diag(seen.crossed), 0)).mean() ** 2
        velocity = np.zeros(self.tasks)
        for _ in range(20):
            velocity = 0.5 * velocity + a @ (self.w + 0.3 / self.tasks)
            self.w = onto_simplex(self.w - 10 * velocity)
        return np.asarray((self.w + 0.3 / self.tasks) / 1.3)


class MoDo(Form):
    """Chen et al. 2024, equation 2.9."""

    def begin(self) -> None:
        self.weights = np.full(self.tasks, 1 / self.tasks)

    def step(self, seen: Seen) -> Array:
        self.weights = onto_simplex(self.weights - 0.1 * (seen.crossed @ self.weights + 0.1 * self.weights))
        return self.weights


class ExcessMTL(Form):
    """He et al. 2024, equations 6, 7 and 9."""

    def begin(self) -> None:
        self.weights, self.squares, self.first = np.full(self.tasks, 1 / self.tasks), np.zeros(1), np.zeros(0)

    def step(self, seen: Seen) -> Array:
        self.squares = self.squares + seen.jacobian**2
        risks = (seen.jacobian**2 / np.sqrt(self.squares)).sum(1)
        self.first = self.first if len(self.first) else risks
        raised = self.weights * np.exp(0.01 * risks / self.first)
        self.weights = raised / raised.sum()
        return self.weights


# By the name in the table, with the parameters that the form has.
FORMS: dict[str, tuple[Callable[[int], Form], dict[str, Any]]] = {
    "uncertainty": (Uncertainty, {}),
    "imtl_l": (IMTLL, {}),
    "imtl": (IMTL, {}),
    "dwa": (DWA, {}),
    "famo": (FAMO, {}),
    "gradnorm": (GradNorm, {}),
    "db_mtl": (DBMTL, {}),
    "moco": (MoCo, {}),
    "auto_lambda": (AutoLambda, {}),
    "smoothed": (Smoothed, {"of": {"name": "imtl_g"}}),
    "gradvac": (GradVac, {}),
    "pcd": (PCD, {}),
    "sdmgrad": (SDMGrad, {}),
    "modo": (MoDo, {}),
    "excess_mtl": (ExcessMTL, {}),
}
