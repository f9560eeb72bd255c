"""What a method gains over its single-task baseline by measures that hold where Delta m is not to be trusted.

Shapes: S seeds, T tasks; rows are paired by seed. Every gain is in percent, positive is better. An error is a metric
that is not negative and of which less is better; the error of a share is what it lacks to 100 %.
"""

from __future__ import annotations

import numpy as np

from .frames import Task
from .statistics import Array, Gain

# By preference where Delta m cannot be formed: what one unit of each gain is.
MEASURES: dict[str, str] = {
    "constant": "gain in units of the constant predictor's error",
    "log_ratio": "mean log-ratio of error",
    "wins": "net share of tasks won",
}


def errors(values_S: Array, task: Task) -> Array | None:
    """The metric of one task as an error [S]; None where it has no known best value, or lies beyond it.

    Less is better: the value itself. More is better: 100 - value in percent, 1 - value of a pure number (R2, AUC), and
    -value of scikit-learn's negated errors.
    """
    best = {"%": 100.0, "1": 0.0 if "neg_" in task.metric else 1.0}.get(task.unit)
    if task.higher and best is None:
        return None
    found = (best or 0.0) - values_S if task.higher else values_S
    return None if (found < 0).any() else found


def log_ratio(method_ST: Array, single_ST: Array) -> Gain | None:
    """100 mean_t mean_s log(B_ts / M_ts) of the errors M of the method and B of the baseline; None unless all are > 0.

    0.5 means errors lower by a factor of exp(-0.005), about 0.5 %, in the geometric mean over tasks and seeds. Halving
    one error and doubling another cancel, where Delta m sees +50 and -100 %.
    """
    if not (method_ST > 0).all() or not (single_ST > 0).all():
        return None
    logs_ST = 100 * np.log(single_ST / method_ST)
    return Gain(logs_ST.mean(0), logs_ST.mean(1), logs_ST.mean(1))


def in_units_of(constant_T: Array, method_ST: Array, single_ST: Array) -> Gain | None:
    """100 mean_t (B_t - M_t) / C_t of mean errors, C that of the constant predictor; None unless every C_t > 0.

    The constant's uncertainty is left out: it is the floor of the scale, fixed for all methods of a problem. Source:
    skill scores of forecasting, Murphy 1988, eq. 4, whose difference between method and baseline this is.
    """
    if not (constant_T > 0).all():
        return None
    gains_ST = 100 * (single_ST - method_ST) / constant_T
    return Gain(gains_ST.mean(0), gains_ST.mean(1), gains_ST.mean(1))


def wins(method_ST: Array, single_ST: Array, higher_T: np.ndarray) -> Gain:
    """100 (share of tasks won - share lost), mean over seeds: the baseline's rank minus the method's among the two."""
    signs_ST = 100 * np.sign((method_ST - single_ST) * np.where(higher_T, 1.0, -1.0))
    return Gain(signs_ST.mean(0), signs_ST.mean(1), signs_ST.mean(1))


def companions(
    method_ST: Array, single_ST: Array, tasks: tuple[Task, ...], constant_T: Array | None
) -> dict[str, Gain]:
    """The gains by every measure of ``MEASURES`` that these values allow, in its order.

    constant_T  the constant predictor's mean metrics, None where it did not run
    """
    ours, single = (_errors(values, tasks) for values in (method_ST, single_ST))
    floor = None if constant_T is None else _errors(constant_T[None], tasks)
    found: dict[str, Gain | None] = dict.fromkeys(MEASURES)
    if ours is not None and single is not None:
        found["constant"] = None if floor is None else in_units_of(floor[0], ours, single)
        found["log_ratio"] = log_ratio(ours, single)
    found["wins"] = wins(method_ST, single_ST, np.array([task.higher for task in tasks]))
    return {name: gain for name, gain in found.items() if gain}


def _errors(values_ST: Array, tasks: tuple[Task, ...]) -> Array | None:
    columns = [errors(column, task) for column, task in zip(values_ST.T, tasks, strict=True)]
    known = [column for column in columns if column is not None]
    return np.stack(known, axis=1) if len(known) == len(columns) else None
