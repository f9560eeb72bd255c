"""The problem `breast_cancer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlbench.core.seeding import derive
from mtlbench.core.task import Data, Outline, Split, TaskSpec
from mtlbench.problems.metrics import WithMetrics

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class BreastCancer(WithMetrics):
    """569 biopsies, 30 features: malignant or benign, and the mean radius from the other features.

    60 % of the rows train, 20 % validate and 20 % test, at random by the seed; features are standardised by the
    training rows. Source: Street et al., Nuclear feature extraction for breast tumor diagnosis, IS&T/SPIE 1993.
    """

    def outline(self, root: Path) -> Outline:
        """Two tasks on 29 features."""
        benign = TaskSpec("benign", 1, "bce_with_logits", classes=("malignant", "benign"))
        tasks = (benign, TaskSpec("radius", 1, "mse", unit="cm"))
        return self.ranked(Outline(tasks, input_shape=(29,), rows=569))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Only this imports NumPy and scikit-learn, so that plans need not wait for them."""
        import numpy as np
        from sklearn.datasets import load_breast_cancer

        table, benign = load_breast_cancer(return_X_y=True)
        order = np.random.default_rng(derive(seed, "split")).permutation(len(table))
        train, validation, test = np.split(order, [341, 455])
        features = table[:, 1:]
        features = ((features - features[train].mean(0)) / features[train].std(0)).astype("float32")

        def split(rows: Array) -> Split:
            targets = {"benign": benign[rows].astype("float32"), "radius": (table[rows, :1] / 10).astype("float32")}
            return Split(features[rows], targets)

        return Data(self.outline(root), split(train), split(validation), split(test))
