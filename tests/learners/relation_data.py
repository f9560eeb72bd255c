"""Linear tasks that are alike, each with rows of its own, and how learners see them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mtlbench.core.record import Record
from mtlbench.core.task import Data, Outline, Split, TaskSpec
from mtlbench.learners.base import Job, Learner
from mtlbench.learners.relation.statistics import Scale, Statistics, by_fold
from mtlbench.learners.rows import read_rows

FOLDS = 4


def alike(tasks: int = 5, features: int = 4, seed: int = 0, noise: float = 0.5, useless: int = 0) -> Data:
    """Task t is (u + v_t)ᵀ x + t / 4 + noise, with u three times as large as v_t, on 20 + 7 t rows."""
    rng = np.random.default_rng(seed)
    shared, own = rng.normal(size=features), rng.normal(size=(tasks, features)) / 3
    shared[features - useless :] = own[:, features - useless :] = 0
    specs = tuple(TaskSpec(f"t{t}", 1, "mse", unit="points", scale=2.0, offset=1.0) for t in range(tasks))

    def split(rows: int) -> Split:
        inputs = {spec.name: rng.normal(size=(rows + 7 * t, features)) for t, spec in enumerate(specs)}
        targets = {
            spec.name: (x @ (shared + own[t]) + t / 4 + noise * rng.normal(size=len(x)))[:, None]
            for t, (spec, x) in enumerate(zip(specs, inputs.values(), strict=True))
        }
        return Split(*({name: a.astype("float32") for name, a in part.items()} for part in (inputs, targets)))

    outline = Outline(specs, {spec.name: (features,) for spec in specs}, 60)
    return Data(outline, split(20), split(0), split(200))


def one_input(rows: int = 60, seed: int = 0) -> Data:
    """Three regressions on the same four inputs, of which two do not matter."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype("float32")
    weights = np.array([[1.0, -1, 0, 0], [0.5, 2, 0, 0], [-1, 1, 0, 0]]).T
    y = (x @ weights + rng.normal(size=(rows, 3)) / 5).astype("float32")
    specs = tuple(TaskSpec(f"t{t}", 1, "mse") for t in range(3))
    part = Split(x, {spec.name: y[:, [t]] for t, spec in enumerate(specs)})
    return Data(Outline(specs, (4,), rows), part, part, part)


def statistics(data: Data) -> Statistics:
    """Of all training rows."""
    rows = read_rows(data.train, data.outline, FOLDS, seed=0)
    parts = by_fold(rows, data.outline.tasks, Scale.of(list(rows.values())), FOLDS)
    return sum(parts[1:], parts[0])


def designs(data: Data) -> list[tuple[np.ndarray, np.ndarray]]:
    """Standardised inputs with a constant 1, and targets [N], of every task."""
    rows = read_rows(data.train, data.outline, FOLDS, seed=0)
    scale = Scale.of(list(rows.values()))
    return [(scale(part.x), part.y[:, 0].astype("float64")) for part in rows.values()]


def run(learner: Learner, data: Data, seed: int = 0) -> list[Record]:
    nothing: dict[str, Any] = dict.fromkeys(("architecture", "weighting", "engine", "optimizer", "schedule", "train"))
    return learner.run(Job(data=data, tasks=data.outline.names, seed=seed, device=torch.device("cpu"), **nothing))


def scores(records: list[Record], metric: str = "rmse") -> dict[str, float]:
    """A test metric by task."""
    return {r.task: r.value for r in records if (r.split, r.metric) == ("test", metric)}


def chosen(records: list[Record]) -> dict[str, float]:
    """What cross-validation chose for all tasks together."""
    return {r.metric.removeprefix("chosen_"): r.value for r in records if r.metric.startswith("chosen_") and not r.task}
