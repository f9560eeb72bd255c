"""scikit-learn's diabetes data as two regressions."""

from __future__ import annotations

from pathlib import Path

from ...core.task import Data, Outline, TaskSpec
from ..assemble import assemble, standardise
from ..metrics import WithMetrics
from ..splits import TRAIN, Fractions, assign, generator

ROWS, BMI = 442, 2
TASKS = (TaskSpec("progression", 1, "mse"), TaskSpec("bmi", 1, "mse", unit="kg/m²"))


class Diabetes(WithMetrics):
    """442 patients: disease progression after a year and body mass index (regressions) from nine measures.

    The data have one target, ``progression``. The second task is the body mass index, which is therefore removed from
    the inputs (age, sex, blood pressure, six blood serum values remain): errors of ``progression`` are somewhat larger
    than those published with all ten inputs. Inputs float32 [N, 9], standardised on the training
    rows, as the targets are. Random split 265 / 89 / 88 per seed.

    Source: Efron, Hastie, Johnstone and Tibshirani, Least Angle Regression, Annals of Statistics 2004, as packaged by
    scikit-learn.
    """

    def outline(self, root: Path) -> Outline:
        """Two regressions on nine inputs."""
        return self.ranked(Outline(TASKS, (9,), ROWS, ("bmi is a task, and therefore not among the inputs",)))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed."""
        import numpy as np
        from sklearn.datasets import load_diabetes

        table = load_diabetes(scaled=False)
        part = assign(np.zeros(ROWS), Fractions().counts(ROWS), generator(seed))
        inputs = standardise(np.delete(table.data, BMI, axis=1), part == TRAIN)
        targets = {"progression": table.target, "bmi": table.data[:, BMI]}
        return assemble(self.outline(root), inputs, targets, part)
