"""How the rows of a table are divided: at random, stratified, by a column of split names, or by time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from ...core.errors import DataError
from ..names import Name
from ..splits import PARTS, TEST, TRAIN, VALIDATION, Fractions, assign, generator, keep_classes
from .columns import row_number, times
from .tasks import Labels

if TYPE_CHECKING:
    import pandas as pd

    from ...core.task import Array

DECILES = 10


class SplitRule(Fractions):
    """How rows are divided into train, validation and test. The shares have no effect with ``by: column``.

    random      anew for each seed, in proportion within each set of rows that are labelled for the same tasks
                (each group, with ``group_by``)
    stratified  random, and in proportion within each class of the target ``column`` (default: the first with
                classes) or each tenth of a numeric one
    column      ``column`` holds train, validation or test; the same for each seed
    time        past to future by ``column`` (numbers or ISO dates): rows of one moment stay together
    """

    by: Literal["random", "stratified", "column", "time"] = Field(default="random", description="what decides")
    column: Name | None = Field(
        default=None, description="target to stratify by, column of split names, or column of time"
    )

    @model_validator(mode="after")
    def _column(self) -> Self:
        if self.by in ("column", "time") and self.column is None:
            raise ValueError(f"expected a column to split by {self.by}")
        if self.by == "random" and self.column is not None:
            raise ValueError("expected no column for a random split; use by: stratified, column or time")
        return self

    @property
    def is_fixed(self) -> bool:
        """Whether every seed gets the same split."""
        return self.by in ("column", "time")


def divide(
    path: Path,
    rule: SplitRule,
    column: pd.Series[Any] | None,
    labels: Sequence[Labels],
    tasks: Sequence[Labels],
    seed: int,
) -> Array:
    """Split of each row, int8 [N].

    column  the column named by ``rule.column``, unless that is a target
    labels  the target columns
    tasks   the tasks made from them

    Raises DataError if a split has no row, a task has no label in a split, or train lacks a class.
    """
    if rule.by == "column" and column is not None:
        part = _named(path, column)
    elif rule.by == "time" and column is not None:
        part = _past_to_future(path, column, rule)
    else:
        part = assign(_strata(rule, labels, tasks), rule.counts(len(tasks[0].known)), generator(seed))
        for target in labels:
            if not target.is_regression:
                keep_classes(part, target.values)
    _check(path, rule, part, labels, tasks)
    return part


def check_rows(path: Path, rule: SplitRule, tasks: Sequence[Labels]) -> None:
    """Raise DataError if a task has too few labelled rows for the splits."""
    for task in tasks if rule.by != "column" else ():
        rows = int(task.known.sum())
        if rows < rule.fewest_rows:
            raise DataError(
                f"{path}: target '{task.spec.name}' has {rows} labelled rows: expected at least {rule.fewest_rows}, "
                "so that each split gets some (with group_by, raise min_rows)"
            )


def _named(path: Path, column: pd.Series[Any]) -> Array:
    """Splits by their names in a column."""
    import numpy as np

    names = column.astype("str").str.strip().str.lower()
    part = np.full(len(names), -1, dtype="int8")
    for number, name in enumerate(PARTS):
        part[(names == name).to_numpy()] = number
    wrong = np.flatnonzero(part < 0)
    if len(wrong):
        raise DataError(
            f"{path}: column '{column.name}': expected train, validation or test, got '{column.iloc[wrong[0]]}' in "
            f"row {row_number(column, wrong[0])} ({len(wrong)} such rows)"
        )
    return part


def _past_to_future(path: Path, column: pd.Series[Any], rule: SplitRule) -> Array:
    """The earliest rows train, the latest test; rows at a boundary's time all go to the later split."""
    import numpy as np

    moments = times(path, column)
    first, second, _ = rule.counts(len(moments))
    line = np.sort(moments)
    bounds = line[[first, min(first + second, len(line) - 1)]]
    return np.searchsorted(bounds, moments, side="right").astype("int8")


def _strata(rule: SplitRule, labels: Sequence[Labels], tasks: Sequence[Labels]) -> Array:
    """Strata int [N]: which tasks a row is labelled for and, if asked for, the class of one target."""
    import numpy as np

    labelled = np.packbits(np.stack([task.known for task in tasks], axis=1), axis=1)
    strata = np.unique(labelled, axis=0, return_inverse=True)[1].reshape(-1)
    if rule.by != "stratified":
        return strata
    with_classes = next((task for task in labels if not task.is_regression), labels[0])
    target = next((task for task in labels if task.spec.name == rule.column), with_classes)
    values = target.values
    if target.is_regression:
        edges = np.quantile(values[target.known], np.arange(1, DECILES) / DECILES)
        values = np.searchsorted(edges, values, side="right")
    values = np.where(target.known, values, -1)
    return strata * (int(values.max()) + 2) + values + 1


def _check(path: Path, rule: SplitRule, part: Array, labels: Sequence[Labels], tasks: Sequence[Labels]) -> None:
    for number in (TRAIN, VALIDATION, TEST):
        for task in tasks:
            if not (task.known & (part == number)).any():
                raise DataError(
                    f"{path}: target '{task.spec.name}': expected labelled rows in each split, got none in "
                    f"{PARTS[number]} (split by {rule.by}; {int(task.known.sum())} labelled rows in all)"
                )
    for target in labels:
        if not target.is_regression:
            trained = target.known & (part == TRAIN)
            lost = set(target.values[target.known].tolist()) - set(target.values[trained].tolist())
            if lost:
                raise DataError(
                    f"{path}: target '{target.spec.name}': expected every class in train, got none of "
                    f"'{target.spec.classes[min(lost)]}' (split by {rule.by})"
                )
