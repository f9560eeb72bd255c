"""The table of metrics: one row each, and one file for a metric or a family of them.

Besides its rows there are ``module:attribute`` names, and scikit-learn's scorers as ``sklearn:<scorer>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler

from ..errors import MtlbenchError, did_you_mean, either
from ..registry import Registry, UnknownName
from . import scorers
from .base import Kind, LineMetric, RowMetric

if TYPE_CHECKING:
    from ..task import TaskSpec

TABLE = Registry(
    "metrics",
    {
        "accuracy": "mtlbench.core.metrics.classification:Accuracy",
        "balanced_accuracy": "mtlbench.core.metrics.classification:BalancedAccuracy",
        "macro_f1": "mtlbench.core.metrics.classification:MacroF1",
        "mean_iou": "mtlbench.core.metrics.classification:MeanIou",
        "auc": "mtlbench.core.metrics.classification:Auc",
        "rmse": "mtlbench.core.metrics.regression:Rmse",
        "mae": "mtlbench.core.metrics.regression:Mae",
        "r2": "mtlbench.core.metrics.regression:R2",
        "cosine_similarity": "mtlbench.core.metrics.regression:CosineSimilarity",
        "relative_error": "mtlbench.core.metrics.regression:RelativeError",
        "box_iou": "mtlbench.core.metrics.geometry:BoxIou",
        "angle_mean": "mtlbench.core.metrics.geometry:AngleMean",
        "angle_median": "mtlbench.core.metrics.geometry:AngleMedian",
        "within_11.25": "mtlbench.core.metrics.geometry:Within11",
        "within_22.5": "mtlbench.core.metrics.geometry:Within22",
        "within_30": "mtlbench.core.metrics.geometry:Within30",
        "chunk_f1": "mtlbench.core.metrics.chunks:ChunkF1",
    },
)
SKLEARN = "sklearn:"  # what the names of scikit-learn's scorers begin with


class MetricError(MtlbenchError, ValueError):
    """A metric that does not exist, or that does not fit its task."""


def metric(name: str) -> LineMetric | RowMetric:
    """The metric of a name.

    name  a row of the table, ``sklearn:<scorer>`` or ``module:attribute``

    Raises MetricError with the nearest name there is.
    """
    try:
        if name.startswith(SKLEARN):
            return scorers.scorer(name.removeprefix(SKLEARN))
        entry = TABLE.load(name)
    except (UnknownName, scorers.UnknownScorer) as error:
        hint = f"; scikit-learn's scorer of that name is '{SKLEARN}{name}'" if name in scorers.names() else ""
        raise MetricError(f"{error}{hint}") from error
    if not issubclass(entry, LineMetric | RowMetric):
        raise MetricError(
            f"metric '{name}': expected a subclass of LineMetric, CountMetric or RowMetric of "
            f"mtlbench.core.metrics.base, got {entry.__name__}"
        )
    lacking = [word for word in ("higher_is_better", "kinds") if not hasattr(entry, word)]
    lacking += sorted(entry.__abstractmethods__)
    if lacking:
        raise MetricError(f"metric '{name}': expected {entry.__name__} to say {', '.join(lacking)}, got none")
    return entry()


def misfit(name: str, *kinds: Kind) -> str:
    """Why a metric fits tasks of none of these kinds, and which one might; empty where it fits some.

    Raises MetricError for a metric that does not exist.
    """
    fits = metric(name).kinds
    if set(fits) & set(kinds):
        return ""
    others = [row for row in TABLE if set(metric(row).kinds) & set(kinds)]
    return f"metric '{name}' is for {either(fits)}, not for {either(kinds)}: {did_you_mean(name, others)}"


def require(name: str, task: TaskSpec) -> None:
    """Raise MetricError for a metric that does not exist, or that does not fit a task."""
    try:
        fault = misfit(name, task.kind)
        wanted = fault or metric(name).needs(task)
    except MetricError as error:
        raise MetricError(f"task '{task.name}': {error}") from error
    if fault:
        raise MetricError(f"task '{task.name}': {fault}")
    if wanted:
        raise MetricError(
            f"task '{task.name}': expected {wanted} for metric '{name}', got a {task.kind} task of {task.outputs} "
            f"outputs{f' at {len(task.positions)}-d positions' if task.positions else ''}"
        )


def _exists(name: str) -> str:
    metric(name)
    return name


class _Listed:
    """Editors are offered the rows of the table, and take other names for what they are."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The JSON schema of a metric's name."""
        return {"anyOf": [{"enum": [*TABLE]}, {"type": "string", "pattern": "^[^:]+:[^:]+$"}]}


# A field of a problem by which a suite chooses metrics; whether they fit, the task says.
MetricNames = Annotated[tuple[Annotated[str, AfterValidator(_exists), _Listed()], ...], Field(strict=False)]
