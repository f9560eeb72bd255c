"""What the task weights of a method sum to: with an optimizer that follows the gradient's length, a learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .frames import ReportData

_METHOD = ["problem", "method", "engine"]
_MATERIAL = 0.1  # relative difference of the sum to 1 that is warned of


@dataclass(frozen=True)
class WeightSum:
    """Mean over steps, then over seeds, of sum_t lambda_t.

    ``scale_free`` says whether the optimizer hardly depends on it (Adam, not SGD); None where no record tells.
    """

    mean: float = math.nan
    scale_free: bool | None = None

    @property
    def doubt(self) -> str:
        """What the sum may explain of a result; "" where it is near 1 or does not matter."""
        if math.isnan(self.mean) or abs(self.mean - 1) <= _MATERIAL or self.scale_free is not False:
            return ""
        return (
            "task weights do not sum to 1 on average (Σλ), and the optimizer follows the length of the gradient: "
            "shared parameters had that multiple of the learning rate, so tune optimizer.lr for each method"
        )


def weight_sums(data: ReportData) -> dict[tuple[str, str, str], WeightSum]:
    """By problem, method and engine, of all methods but the baseline."""
    records = data.records[~data.records["baseline"]]
    weights = records[records["metric"] == "weight"]
    sums = weights.groupby([*_METHOD, "seed", "step"])["value"].sum(min_count=1)
    means: dict[Any, float] = sums.groupby([*_METHOD, "seed"]).mean().groupby(_METHOD).mean().to_dict()
    free: dict[Any, float] = records[records["metric"] == "scale_free"].groupby(_METHOD)["value"].min().to_dict()
    return {key: WeightSum(mean, bool(free[key]) if key in free else None) for key, mean in means.items()}
