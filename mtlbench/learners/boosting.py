"""Gradient boosting of trees, every task apart: the strong baseline of tables."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ..core.task import Outline
from .trees import Trees

if TYPE_CHECKING:
    from ..core.task import Array
    from .rows import Rows

_MOST = 50_000_000  # rows x features x outputs up to which it stands beside methods by itself: a minute on one core


class Boosting(Trees):
    """Histogram gradient boosting of trees, one ensemble a task: scikit-learn's, with its usual settings.

    Boosting stops when the validation loss of the task has not improved for ``patience`` rounds; where the problem has
    no validation labels of it, that of every tenth training row, which is then not trained on. Losses are the
    log-likelihood for classes, the absolute error for l1, and the squared error for all other values. Nothing is
    random. ``parameters`` counts leaves, at most ``leaves`` of each tree.

    Source: Ke et al., LightGBM: A Highly Efficient Gradient Boosting Decision Tree, NeurIPS 2017, as in scikit-learn's
    HistGradientBoosting. Deviation: no sampling of rows or features.
    """

    random = False
    least: ClassVar[float] = 1e-6

    rounds: int = Field(500, ge=1, description="rounds of boosting, at most")
    patience: int = Field(10, ge=1, description="rounds without improvement before stopping")
    lr: float = Field(0.1, gt=0, allow_inf_nan=False, description="learning rate, by which each tree counts")
    leaves: int = Field(31, ge=2, description="leaves of a tree, at most")
    rows_of_leaf: int = Field(20, ge=1, description="training rows of a leaf, at least")

    def beside(self, outline: Outline) -> bool:
        """Where the inputs are one flat table, and rows x features x outputs are at most 50 million."""
        shape = outline.input_shape
        if not isinstance(shape, tuple) or len(shape) != 1:
            return False
        return outline.rows * prod(shape) * sum(task.outputs for task in outline.tasks) <= _MOST

    def classify(self, train: Rows, validation: Rows | None, seed: int) -> Any:
        """See ``Trees``."""
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingClassifier

        part, held = _divided(train, validation)
        classes = np.unique(part.y)
        if len(classes) < 2:  # those held out have the others: train on all rows, for all rounds
            return self._fitted(
                HistGradientBoostingClassifier, train, held.take(np.zeros(len(held.y), dtype=bool)), "log_loss"
            )
        return self._fitted(HistGradientBoostingClassifier, part, held.take(np.isin(held.y, classes)), "log_loss")

    def regress(self, train: Rows, validation: Rows | None, loss: str, seed: int) -> Any:
        """See ``Trees``."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        kind = "absolute_error" if loss == "l1" else "squared_error"
        return self._fitted(HistGradientBoostingRegressor, *_divided(train, validation), kind)

    def size(self, model: Any) -> int:
        """See ``Trees``; every tree counts as full."""
        return int(model.n_iter_ * model.n_trees_per_iteration_ * self.leaves)

    def _fitted(self, kind: Any, train: Rows, held: Rows, loss: str) -> Any:
        model = kind(
            loss=loss,
            learning_rate=self.lr,
            max_iter=self.rounds,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.rows_of_leaf,
            early_stopping=bool(len(held.x)),
            n_iter_no_change=self.patience,
            random_state=0,  # for the thresholds of features with more than 200,000 rows
        )
        return model.fit(train.x, train.y, **({"X_val": held.x, "y_val": held.y} if len(held.x) else {}))


def _divided(train: Rows, validation: Rows | None) -> tuple[Rows, Rows]:
    """The rows to train on, and those that say when to stop: every tenth training row where there are no others."""
    import numpy as np

    if validation is not None:
        return train, validation
    held: Array = np.arange(len(train.x)) % 10 == 9
    return train.take(~held), train.take(held)
