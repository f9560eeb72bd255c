"""A table of the user's: CSV, Parquet, ARFF or MATLAB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ...core.digests import Stamp, stamp
from ...core.errors import DataError
from ...core.task import Data, Outline
from ...core.wording import quoted, shown
from ..assemble import assemble
from ..base import Problem
from ..files import find
from ..names import Name, Names, different
from ..splits import PARTS, TRAIN
from .columns import UNNAMED, require
from .copies import copies
from .features import Feature, encode, missing_values, read_features
from .read import Format, Reading, read_table
from .split import SplitRule, check_rows, divide
from .tasks import Labels, Target, by_group, grouped_rows, inferred, labelled_rows, read_labels

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL")


def _as_mapping(value: object) -> object:
    """``[a, b]`` is short for ``{a: {}, b: {}}``. Raises ValueError for what can be no list of names."""
    if isinstance(value, str):
        raise ValueError(f"expected a list of columns, got '{value}'; write [{value}]")
    if isinstance(value, (list, tuple)):
        wrong = [name for name in value if not isinstance(name, str)]
        if wrong:
            raise ValueError(f"expected names of columns, got {shown(wrong[0])}; {quoted(wrong[0])}")
        return {name: {} for name in different(value)}
    if isinstance(value, dict):
        return dict(zip(different(value), value.values(), strict=True))
    return value


Targets = Annotated[
    dict[str, Target], BeforeValidator(_as_mapping, json_schema_input_type=list[str] | dict[str, Target])
]


@dataclass(frozen=True)
class _Table:
    """A file that was read and interpreted: what ``outline`` describes and ``load`` divides."""

    path: Path
    rule: SplitRule
    split_column: pd.Series[Any] | None
    labels: Sequence[Labels]
    tasks: Sequence[Labels]
    features: Sequence[Feature]
    notes: tuple[str, ...]

    @cached_property
    def outline(self) -> Outline:
        width = sum(feature.width for feature in self.features)
        train = int((self.divide(seed=0) == TRAIN).sum())
        labelled = {task.spec.name: train for task in self.tasks if task.known.all()}
        specs, rows = tuple(t.spec for t in self.tasks), len(self.tasks[0].known)
        return Outline(specs, (width,), rows, self.notes, labelled=labelled)

    def divide(self, seed: int) -> Any:
        return divide(self.path, self.rule, self.split_column, self.labels, self.tasks, seed)


class Tabular(Problem):
    """A table of yours (CSV, Parquet, ARFF, MATLAB): one task per target column, or one per group of rows.

    Unless stated otherwise, a target of numbers becomes a regression, one of only 0 and 1 or of two categories a binary
    task, one of more categories a classification; ``{income: {kind: binary}, age: {}}`` states some kinds, and
    ``{marital: {positive: Never married}}`` predicts one category against all others. Features are all other columns.
    Numbers are standardised; categories are one-hot encoded in at most ``max_levels`` columns (the most frequent levels
    in train), and unseen levels are all zeros. Gaps are imputed by train's median or most frequent level, with an
    additional indicator column (``missing: impute``). A column of which more than half reads as numbers is numeric, and
    text in it is an error; list it in ``categorical`` if the numbers are codes. Missing labels are masked; rows without
    any are dropped. Everything is fitted on the training rows of each seed. The report notes everything that was
    inferred, and test rows that repeat training rows.

    ``group_by`` makes a task of each group (school, patient, shop) with at least ``min_rows`` labelled rows; its
    groups share one target scale. ``split`` is stratified by the first target with classes, else random.
    """

    path: str = Field(description="the file, gzipped or not")
    targets: Targets = Field(
        min_length=1, description="target columns: a list, or {name: {kind, positive, loss, metrics, unit}}"
    )
    features: Names | None = Field(
        None, min_length=1, description="feature columns; default: all that have no other role"
    )
    drop: Names = Field((), description="columns that are no features")
    categorical: Names = Field((), description="numeric columns whose numbers are codes of categories")
    group_by: Name | None = Field(None, description="column whose values make one task each; needs exactly one target")
    min_rows: int = Field(10, ge=1, description="labelled rows a group needs to become a task")
    split: SplitRule | None = Field(None, description="how rows come into train, validation and test")
    missing: Literal["impute", "error"] = Field("impute", description="what to do with missing feature values")
    max_levels: int = Field(50, ge=1, description="columns that one category's levels may take")
    format: Format | None = Field(None, description="csv, parquet, arff or mat; default: by the file's name")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="CSV delimiter; default: found out")
    decimal: Literal[".", ","] = Field(".", description="decimal sign of a CSV file")
    encoding: str = Field("utf-8", description="text encoding of a CSV or ARFF file")
    columns: Names | None = Field(
        None, min_length=1, description="column names of a CSV file without a header line, or of a MATLAB matrix"
    )
    missing_values: tuple[str, ...] = Field(MISSING, strict=False, description="texts that mean a missing value")

    @model_validator(mode="after")
    def _roles(self) -> Self:
        if self.group_by is not None and len(self.targets) != 1:
            raise ValueError(f"expected exactly one target with group_by, got {', '.join(self.targets)}")
        taken = {*self.targets} & {*(self.features or ()), *self.drop, self.group_by}
        if taken:
            raise ValueError(f"expected a column to have one role, got '{min(map(str, taken))}' as target and another")
        by = self.split and self.split.by == "stratified" and self.split.column
        if by and by not in self.targets:
            raise ValueError(f"expected split.column to be a target to stratify by, got '{by}'")
        return self

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """Two regressions and a classification with missing labels; features of each kind with missing values."""
        import numpy as np

        chance, lines = np.random.default_rng(3), ["place,x,colour,weight,grade,sick"]
        for row in range(150):
            x, colour = f"{chance.normal():.6f}", ["red", "green", "blue", "?"][chance.integers(4)]
            labels = [f"{chance.normal() * 9 + 70:.3f}", ["low", "mid", "high"][row % 3], str(chance.integers(2))]
            labels = ["" if chance.random() < 0.2 else label for label in labels]
            lines.append(",".join([str(row), x if row % 11 else "", colour, *labels]))
        (folder / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {"path": "table.csv", "targets": ["weight", "grade", "sick"]}

    def files(self, root: Path) -> tuple[Path, ...]:
        """The table. Raises DataError."""
        return (find(root, self.path),)

    def outline(self, root: Path) -> Outline:
        """Tasks, input width, rows, and everything inferred. Raises DataError for every fault that all seeds share."""
        return _table(self, root).outline

    def sizes(self, root: Path) -> tuple[int, ...]:
        """Rows of each split, the same for every seed. Raises DataError."""
        part = _table(self, root).divide(seed=0)
        return tuple(int((part == number).sum()) for number in range(len(PARTS)))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        table = _table(self, root)
        part = table.divide(seed)
        return assemble(
            table.outline,
            encode(table.path, table.features, part == TRAIN),
            {task.spec.name: task.values for task in table.tasks},
            part,
            {task.spec.name: task.known for task in table.tasks},
            joint=self.group_by is not None,
        )

    def understand(self, path: Path) -> _Table:
        """Read the table and decide what its columns mean. Raises DataError."""
        frame = read_table(path, self._reading)
        self._require(path, frame)
        frame, notes = self._rows(path, frame)
        labels = [read_labels(path, frame[name], target) for name, target in self.targets.items()]
        notes += inferred(labels, self.targets)
        tasks: Sequence[Labels] = labels
        if self.group_by is not None:
            tasks, more = by_group(labels[0], frame[self.group_by])
            notes += more
        rule = self.split or SplitRule(by="random" if all(t.is_regression for t in labels) else "stratified")
        check_rows(path, rule, tasks)
        features, more = self._features(path, frame)
        column = frame[rule.column] if rule.is_fixed and rule.column else None
        notes += [*more, *([] if self.split else [f"split by default: {rule.by}"])]
        table = _Table(path, rule, column, labels, tasks, features, tuple(notes))
        # A table that no seed can divide fails here, before any trial.
        return replace(table, notes=(*notes, *copies(features, labels, tasks, table.divide(seed=0))))

    @property
    def _reading(self) -> Reading:
        return Reading(self.format, self.delimiter, self.decimal, self.encoding, self.columns, self.missing_values)

    def _require(self, path: Path, frame: pd.DataFrame) -> None:
        """Raise DataError for the first column that the file does not have."""
        columns = list(frame.columns)
        require(path, columns, tuple(self.targets), "targets")
        require(path, columns, self.features or (), "features")
        require(path, columns, self.drop, "drop")
        require(path, columns, self.categorical, "categorical")
        require(path, columns, (self.group_by,) if self.group_by else (), "group_by")
        require(path, columns, (self.split.column,) if self.split and self.split.column else (), "split")

    def _rows(self, path: Path, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """The rows that belong to some task, and notes on the others."""
        usable, notes = labelled_rows(path, frame, self.targets)
        frame = frame[usable]
        if self.group_by is not None:
            usable, more = grouped_rows(path, frame, self.group_by, self.min_rows)
            frame, notes = frame[usable], notes + more
        return frame, notes

    def _features(self, path: Path, frame: pd.DataFrame) -> tuple[Sequence[Feature], list[str]]:
        """The features, and notes on what was decided about them."""
        roles = {*self.targets, self.group_by, *self.drop, self.split and self.split.column}
        names = self.features or tuple(name for name in frame.columns if name not in roles)
        notes = []
        if self.features is None:
            unnamed = [name for name in names if name.startswith(UNNAMED)]
            names = tuple(name for name in names if name not in unnamed)
            notes += [f"columns without a name are left out: {', '.join(unnamed)}"] if unnamed else []
        features, more = read_features(path, frame, names, self.categorical, self.max_levels)
        if not features:
            others = ", ".join(map(str, roles - {None}))
            raise DataError("; ".join([f"{path}: expected at least one feature column beside {others}", *notes, *more]))
        return features, [*notes, *more, *missing_values(path, features, refuse=self.missing == "error")]


def _table(config: Tabular, root: Path) -> _Table:
    path = find(root, config.path)
    return _cached(config.model_dump_json(), path, stamp(path))


@lru_cache(maxsize=4)
def _cached(config: str, path: Path, _: Stamp) -> _Table:
    """The table of a configuration, cached for the trials of a process that differ in seed or method only."""
    return Tabular.model_validate_json(config).understand(path)
