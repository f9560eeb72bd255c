"""scikit-learn's Linnerud data: three body measures from three exercises."""

from __future__ import annotations

from pathlib import Path

from ...core.task import Data, Outline, TaskSpec
from ..assemble import assemble, standardise
from ..metrics import WithMetrics
from ..splits import TRAIN, Fractions, assign, generator

ROWS = 20
TASKS = (
    TaskSpec("weight", 1, "mse", unit="lb"),
    TaskSpec("waist", 1, "mse", unit="in"),
    TaskSpec("pulse", 1, "mse", unit="beats/min"),
)


class Linnerud(WithMetrics):
    """20 men: weight, waist and pulse (regressions) from chin-ups, sit-ups and jumps.

    A toy: its test split has 4 rows. Inputs float32 [N, 3], standardised on the training rows, as the targets are.
    Random split 12 / 4 / 4 per seed.
    Source: M. Tenenhaus, La régression PLS, 1998, as packaged by scikit-learn.
    """

    def outline(self, root: Path) -> Outline:
        """Three regressions on three inputs."""
        return self.ranked(Outline(TASKS, (3,), ROWS))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed."""
        import numpy as np
        from sklearn.datasets import load_linnerud

        table = load_linnerud()
        part = assign(np.zeros(ROWS), Fractions().counts(ROWS), generator(seed))
        targets = {task.name: table.target[:, i] for i, task in enumerate(TASKS)}
        return assemble(self.outline(root), standardise(table.data, part == TRAIN), targets, part)
