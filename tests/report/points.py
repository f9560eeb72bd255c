"""Points of a scalarization frontier beside a sample's methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mtlbench.core.trial import FRONTIER

from .samples import LABELS, TASKS, Frames, Sample


def with_points(made: Sample, points: Mapping[str, Sequence[float]], spread: float = 0.1) -> Frames:
    """Points of a frontier: the tasks' gains in percent over the single-task value, the same on both splits."""
    for row in [row for row in made.trials if row["method"] == "equal"]:
        rng = np.random.default_rng([row["seed"], 5])
        tasks = {name: TASKS[name] for name in row["tasks"]}
        for name, gains in points.items():
            labels = {"method": "frontier", "role": FRONTIER, "point": name, "trial": f"{row['trial']}/{name}"}
            made.trials.append(row | labels)
            for (task, (metric, unit, higher, value, _)), gain in zip(tasks.items(), gains, strict=True):
                reached = value * (1 + (gain + spread * rng.normal()) / (100 if higher else -100))
                fact = {key: row[key] for key in LABELS if key in row} | labels
                fact |= {"task": task, "other": "", "metric": metric, "unit": unit, "value": reached, "main": True}
                fact |= {"higher_is_better": higher, "step": 2}
                made.records += [fact | {"split": "test"}, fact | {"split": "validation"}]
    for row in (*made.trials, *made.records):
        row.setdefault("role", "")
    return made.frames()
