"""scikit-learn's scorers as metrics: by name, with scikit-learn's sign, so that higher is always better."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import MtlbenchError, did_you_mean
from .base import CLASSES, Kind, LineMetric, predicted

if TYPE_CHECKING:
    import numpy as np

    from ..task import TaskSpec

    Array = np.ndarray[Any, Any]

_MOST_CLASSES = 5  # of an example: scorers tell two classes from more, not more from many


class UnknownScorer(MtlbenchError):
    """A name that scikit-learn has no scorer for."""


class Scorer(LineMetric):
    """A scorer of scikit-learn on the probabilities or the classes of a task, or on its values, as it asks for them.

    Where scikit-learn refuses the labels at hand (a class that is absent, a logarithm of a value below 0), the metric
    is undefined, NaN.
    """

    higher_is_better: ClassVar[bool] = True
    scorer: str

    def needs(self, task: TaskSpec) -> str:
        """What scikit-learn says of an example as large as the task."""
        fault = _fault(self.scorer, task.kind, task.outputs)
        return f"a task that scikit-learn's scorer takes ({fault})" if fault else ""

    def compute(self, target: Array, score: Array) -> float:
        """What the scorer says of a model with these predictions."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of absent classes: it would come again in every epoch
            try:
                return self._value(target, score)
            except ValueError:
                return float("nan")

    def _value(self, target: Array, score: Array) -> float:
        from sklearn.metrics import get_scorer

        return float(get_scorer(self.scorer)(*_shown(self.kinds, target, score)))


class ClassScorer(Scorer):
    """A scorer of classes."""

    kinds: ClassVar[tuple[Kind, ...]] = CLASSES


class ValueScorer(Scorer):
    """A scorer of values."""

    kinds: ClassVar[tuple[Kind, ...]] = ("regression",)


def names() -> list[str]:
    """The scorers of the installed scikit-learn."""
    from sklearn.metrics import get_scorer_names

    return list(get_scorer_names())


@cache
def scorer(name: str) -> Scorer:
    """The metric of a scorer. Raises UnknownScorer with the nearest name.

    scikit-learn does not say what a scorer is for, but those of classes refuse values.
    """
    if name not in names():
        raise UnknownScorer(f"scikit-learn {_version()} has no scorer '{name}', {did_you_mean(name, names())}")
    is_of_values = not _fault(name, "regression", 1)
    return ValueScorer(scorer=name) if is_of_values else ClassScorer(scorer=name)


def _version() -> str:
    import sklearn

    return str(sklearn.__version__)


@cache
def _fault(name: str, kind: Kind, outputs: int) -> str:
    """Why scikit-learn refuses, or warns of, a task of a kind and size; empty where it takes it."""
    metric = ValueScorer(scorer=name) if kind == "regression" else ClassScorer(scorer=name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            metric._value(*_example(kind, outputs))
        except Exception as error:  # a scorer that is for something else may fail in any way
            return str(error).split("\n", 1)[0].rstrip(".")
    return ""


def _example(kind: Kind, outputs: int) -> tuple[Array, Array]:
    """Targets and scores that any scorer of the kind takes: values above 0; all classes, right three times of four."""
    import numpy as np

    if kind == "regression":
        values = 1 + np.arange(12.0 * outputs).reshape(12, outputs) % 7
        return values, values * (1 + 0.1 * (-1) ** np.arange(12.0))[:, None]
    classes = min(max(outputs, 2), _MOST_CLASSES)
    target = np.repeat(np.arange(classes), 4)
    guess = np.where(np.arange(len(target)) % 4, target, (target + 1) % classes)
    score = (0.5 + 0.5 * np.eye(classes)[guess]) / (0.5 * classes + 0.5)
    return target, score[:, 1] if kind == "binary" else score


def _shown(kinds: tuple[Kind, ...], target: Array, score: Array) -> tuple[Any, Array, Array]:
    """The arguments of a scorer: a model, its inputs and their labels; the inputs are the predictions themselves."""
    import numpy as np

    if "regression" in kinds:
        line = (values[:, 0] if values.shape[1] == 1 else values for values in (score, target))
        return (_models()["values"](), *line)
    scores = score if score.ndim == 2 else np.stack([1 - score, score], axis=1)
    return _models()["classes"](scores.shape[1]), scores, target.astype("int64")


@cache
def _models() -> dict[str, Any]:
    """Models whose predictions are their inputs, as scikit-learn's scorers see models."""
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    class Values(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
        def predict(self, values: Array) -> Array:
            return values

    class Classes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def __init__(self, classes: int) -> None:
            self.classes = classes

        @property
        def classes_(self) -> Array:
            return np.arange(self.classes)

        def predict(self, scores: Array) -> Array:
            return predicted(scores)

        def predict_proba(self, scores: Array) -> Array:
            return scores

    return {"values": Values, "classes": Classes}
