"""Tasks from target columns: their kinds, stated or inferred, their labels, and one task for each group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args

from pydantic import Field, model_validator

from ...core.config import Config
from ...core.errors import DataError, did_you_mean
from ...core.losses import LOSSES, losses_for
from ...core.metrics import MetricNames, misfit
from ...core.metrics.base import Kind
from ...core.task import TaskSpec
from ..losses import ChosenLoss, choice_of
from .columns import categories, has_decimal_commas, is_numeric, numbers

if TYPE_CHECKING:
    import pandas as pd

    from ...core.task import Array

KINDS: tuple[Kind, ...] = get_args(Kind)
ColumnLoss = Annotated[ChosenLoss, *choice_of(*KINDS)]
FEW = 20  # a text column with more distinct values than this, in more than half of its rows, holds no classes
MOST_CELLS = 2**31  # rows x groups: each group's task has a label and a mask for every row


class Target(Config):
    """One target column; what is not stated is inferred."""

    kind: Kind | None = Field(None, description="regression, classification or binary; inferred if not stated")
    positive: str | None = Field(None, description="the category that counts as 1, all others as 0; makes it binary")
    loss: ColumnLoss | None = Field(
        None,
        description="loss, with its parameter {name: smooth_l1, beta: 0.5}; the first that fits the kind if not stated",
    )
    metrics: MetricNames = Field((), description="metrics that fit the kind, the first one ranks methods")
    unit: str = Field("", description="unit of a regression target, for the tables")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        kind = self.stated
        if self.positive is not None and kind != "binary":
            raise ValueError(f"expected kind: binary beside positive, got {kind}")
        if kind and self.loss and LOSSES[self.loss.name].kind != kind:
            raise ValueError(f"expected a loss for {kind} ({', '.join(losses_for(kind))}), got {self.loss.name}")
        for metric in self.metrics:
            if kind and (fault := misfit(metric, kind)):
                raise ValueError(f"metrics: {fault}")
        return self

    @property
    def stated(self) -> Kind | None:
        """The kind that is stated or that the loss or the positive category implies; None if none does."""
        implied = next((kind for kind in KINDS if self.loss and LOSSES[self.loss.name].kind == kind), None)
        return self.kind or implied or ("binary" if self.positive is not None else None)


@dataclass(frozen=True)
class Labels:
    """A task with its labels: ``values`` float64 [N] or class indices int64 [N]; ``known`` bool [N], where labelled."""

    spec: TaskSpec
    values: Array
    known: Array

    @property
    def is_regression(self) -> bool:
        """Whether values are numbers, not classes."""
        return self.spec.kind == "regression"


def read_labels(path: Path, column: pd.Series[Any], target: Target) -> Labels:
    """The task of a target column. Raises DataError."""
    import numpy as np

    name = str(column.name)
    kind = target.stated or _infer(path, column)
    loss = target.loss or ChosenLoss(losses_for(kind)[0])
    if kind == "regression":
        advice = f"or, if these are classes, state targets: {{{name}: {{kind: classification}}}}"
        values = numbers(path, column, advice)
        spec = TaskSpec(name, 1, loss.name, target.metrics, unit=target.unit, beta=loss.beta)
        labelled = ~np.isnan(values)
        distinct = len(set(values[labelled].tolist()))
    else:
        values, classes = categories(column)
        if target.positive is not None:
            values, classes = _against_others(path, name, target.positive, values, classes)
        labelled, distinct = values >= 0, len(classes)
        outputs = 1 if kind == "binary" else distinct
        spec = TaskSpec(name, outputs, loss.name, target.metrics, classes=classes, beta=loss.beta)
    if distinct < 2:
        raise DataError(
            f"{path}: target '{name}' ({kind}) has one {'value' if kind == 'regression' else 'class'} only, "
            f"'{column.dropna().iloc[0]}' in all {int(labelled.sum())} labelled rows; expected at least two"
        )
    if kind == "binary" and distinct > 2:
        raise DataError(
            f"{path}: target '{name}' is stated binary: expected 2 classes, got {distinct} "
            f"({', '.join(spec.classes[:4])}, …)"
        )
    return Labels(spec, values, labelled)


def _against_others(
    path: Path, name: str, positive: str, codes: Array, classes: tuple[str, ...]
) -> tuple[Array, tuple[str, ...]]:
    """Codes 1 where the category is ``positive``, 0 where it is another, -1 where it is missing; and their names."""
    import numpy as np

    if positive not in classes:
        raise DataError(
            f"{path}: target '{name}' has no category '{positive}' (positive); {did_you_mean(positive, classes)}"
        )
    others = [other for other in classes if other != positive]
    negative = others[0] if len(others) == 1 else f"not {positive}"
    return np.where(codes < 0, -1, codes == classes.index(positive)), (negative, positive)


def _infer(path: Path, column: pd.Series[Any]) -> Kind:
    """Numbers mean regression, except 0 and 1 alone; two categories mean binary, more mean classification."""
    import pandas as pd

    distinct, labelled = column.nunique(), int(column.notna().sum())
    if is_numeric(column):
        values = set(pd.to_numeric(column.dropna(), errors="coerce"))
        return "binary" if values == {0, 1} and distinct == 2 else "regression"  # '1' and '1.0' would be two classes
    if distinct > FEW and has_decimal_commas(column):
        raise DataError(
            f"{path}: target '{column.name}' holds texts such as '{column.dropna().iloc[0]}': expected numbers with a "
            'decimal point; state decimal: "," and correct cells that are no numbers, or state kind: classification'
        )
    if distinct > FEW and distinct > labelled / 2:
        raise DataError(
            f"{path}: target '{column.name}' holds {distinct} different texts in {labelled} rows: expected numbers or "
            "repeated categories; state kind: classification if these are classes"
        )
    return "binary" if distinct <= 2 else "classification"


def inferred(labels: Sequence[Labels], targets: Mapping[str, Target]) -> list[str]:
    """A note on each kind that was inferred, and for which targets."""
    names: dict[str, list[str]] = {}
    for spec in (task.spec for task in labels if not targets[task.spec.name].stated):
        detail = {
            "binary": f" (positive class {''.join(spec.classes[-1:])!r})",
            "classification": f" ({spec.outputs} classes)",
        }
        names.setdefault(spec.kind, []).append(spec.name + detail.get(spec.kind, ""))
    return [f"inferred {kind}: {', '.join(columns)}" for kind, columns in names.items()]


def labelled_rows(path: Path, frame: pd.DataFrame, targets: Iterable[str]) -> tuple[Array, list[str]]:
    """Rows with any label, bool [N], and a note on the others. Raises DataError for a target without any label."""
    present = frame[list(targets)].notna()
    for name in present.columns[~present.any()]:
        raise DataError(f"{path}: target '{name}' has no label: expected some, all {len(frame)} rows are missing")
    labelled = present.any(axis=1).to_numpy()
    lost = int((~labelled).sum())
    return labelled, [f"{lost} rows without any label are left out"] if lost else []


def grouped_rows(path: Path, frame: pd.DataFrame, group: str, fewest: int) -> tuple[Array, list[str]]:
    """Rows of groups with at least ``fewest`` rows, bool [N], and notes on the others. Raises DataError."""
    import numpy as np

    codes, names = categories(frame[group])
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    large = int((counts >= fewest).sum())
    if not large:
        raise DataError(
            f"{path}: column '{group}': expected groups of at least {fewest} labelled rows (min_rows), "
            f"the largest of {len(names)} has {counts.max(initial=0)}"
        )
    if large * len(codes) > MOST_CELLS:
        raise DataError(
            f"{path}: column '{group}' makes {large} tasks of {len(codes)} rows each, too many to hold; raise min_rows"
        )
    small, lost = len(names) - large, int((codes < 0).sum())
    notes = [f"{small} of {len(names)} groups have fewer than {fewest} labelled rows and are left out"] if small else []
    notes += [f"{lost} rows without a '{group}' are left out"] if lost else []
    return (codes >= 0) & (np.append(counts, 0)[codes] >= fewest), notes


def by_group(labels: Labels, groups: pd.Series[Any]) -> tuple[list[Labels], list[str]]:
    """One task for each group, named ``column=value``, whose labels count in the group's rows only; and notes."""
    codes, names = categories(groups)
    tasks = [
        Labels(replace(labels.spec, name=f"{groups.name}={name}"), labels.values, labels.known & (codes == code))
        for code, name in enumerate(names)
    ]
    if labels.is_regression:
        return tasks, []
    poor = sum(len(set(task.values[task.known].tolist())) < 2 for task in tasks)
    return tasks, [f"{poor} of {len(tasks)} groups hold one class only"] if poor else []
