"""Several tables as one problem: one task and one set of inputs each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from ...core.task import Data, Outline, Split
from ..base import Problem
from ..splits import PARTS
from .tabular import Tabular

if TYPE_CHECKING:
    from ...core.task import Shape


class Tables(Problem):
    """Several tables of yours, each one task with separate rows and inputs, such as red and white wine.

    ``tables: {red: {path: …, targets: [quality]}, white: {…}}``: an entry has the keys of ``tabular`` and exactly one
    target; its name is the task's. Each table is divided and standardised separately, so a difference in level between
    two tables is not part of the tasks.
    """

    tables: dict[str, Tabular] = Field(min_length=2, description="{task: the keys of tabular, with one target}")

    @model_validator(mode="after")
    def _one_task_each(self) -> Self:
        for name, table in self.tables.items():
            if len(table.targets) != 1 or table.group_by is not None:
                raise ValueError(
                    f"table '{name}': expected exactly one target and no group_by, got {', '.join(table.targets)}"
                    f"{f' by {table.group_by}' if table.group_by else ''}; several tasks of a table are problem tabular"
                )
        return self

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """Two tables with one target each."""
        import numpy as np

        chance, tables = np.random.default_rng(6), {}
        for name, rows in (("red", 60), ("white", 100)):
            lines = [
                f"{chance.normal():.6f},{chance.normal():.6f},{'abc'[i % 3] if i % 9 else ''}" for i in range(rows)
            ]
            (folder / f"{name}.csv").write_text("\n".join(["u,v,quality", *lines]) + "\n", encoding="utf-8")
            tables[name] = {"path": f"{name}.csv", "targets": ["quality"]}
        return {"tables": tables}

    def files(self, root: Path) -> tuple[Path, ...]:
        """Every table. Raises DataError."""
        return tuple(path for table in self.tables.values() for path in table.files(root))

    def outline(self, root: Path) -> Outline:
        """A task per table. Raises DataError."""
        outlines = {name: table.outline(root) for name, table in self.tables.items()}
        sizes = [table.sizes(root) for table in self.tables.values()]
        return _joined(outlines, sum(max(part) for part in zip(*sizes, strict=True)))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        loaded = {name: table.load(seed, root) for name, table in self.tables.items()}
        splits = {}
        for part in PARTS:
            each = {name: getattr(data, part) for name, data in loaded.items()}
            splits[part] = Split(
                {name: split.inputs for name, split in each.items()},
                {name: next(iter(split.targets.values())) for name, split in each.items()},
            )
        rows = sum(split.size for split in splits.values())
        return Data(_joined({name: data.outline for name, data in loaded.items()}, rows), **splits)


def _joined(outlines: Mapping[str, Outline], rows: int) -> Outline:
    """The outline with the only task of every table, named after the table."""
    tasks = tuple(replace(outline.tasks[0], name=name) for name, outline in outlines.items())
    notes = tuple(f"{name}: {note}" for name, outline in outlines.items() for note in outline.notes)
    labelled = {name: rows for name, outline in outlines.items() for rows in outline.labelled.values()}
    shapes = {name: _shape(outline) for name, outline in outlines.items()}
    return Outline(tasks, shapes, rows, notes, labelled=labelled)


def _shape(outline: Outline) -> Shape:
    assert not isinstance(outline.input_shape, Mapping)  # one table, one set of inputs
    return outline.input_shape
