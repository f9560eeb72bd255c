"""Extremely randomised trees, every task apart: a strong baseline of small tables that needs no validation split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ..core.seeding import derive
from .trees import Trees

if TYPE_CHECKING:
    from .rows import Rows


class Forest(Trees):
    """Extremely randomised trees, one forest a task: scikit-learn's ExtraTrees, with its usual settings.

    Each split tries sqrt(features) random features with one random threshold each for classes, every feature for
    values, and lowers the impurity or, whatever the loss of values, the squared error. ``parameters`` counts leaves.

    Source: Geurts et al., Extremely randomized trees, Machine Learning 2006.
    """

    least: ClassVar[float] = 1e-3

    trees: int = Field(300, ge=1, description="trees of a forest")
    rows_of_leaf: int = Field(1, ge=1, description="training rows of a leaf, at least")

    def classify(self, train: Rows, validation: Rows | None, seed: int) -> Any:
        """See ``Trees``."""
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(**self._settings(seed)).fit(train.x, train.y)

    def regress(self, train: Rows, validation: Rows | None, loss: str, seed: int) -> Any:
        """See ``Trees``."""
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor(**self._settings(seed)).fit(train.x, train.y)

    def size(self, model: Any) -> int:
        """See ``Trees``."""
        return sum(int(tree.get_n_leaves()) for tree in model.estimators_)

    def _settings(self, seed: int) -> dict[str, Any]:
        random_state = derive(seed, "trees") % 2**32
        return {"n_estimators": self.trees, "min_samples_leaf": self.rows_of_leaf, "random_state": random_state}
