"""What a report consists of: parts with statements, tables and figures. How they look is decided elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ..evidence.statistics import Interval, mean_interval

if TYPE_CHECKING:
    import pandas as pd

Mark = Literal["", "best", "second"]
Tone = Literal["plain", "good", "bad", "mixed", "unclear", "warning"]

ARROWS = {True: "\u00a0↑", False: "\u00a0↓", None: ""}  # never alone on the next line


@dataclass(frozen=True)
class Cell:
    """One cell: what is read, and the number it is sorted and marked by (NaN for words)."""

    text: str
    value: float = math.nan
    interval: Interval | None = None
    detail: str = ""  # a second, quieter line
    mark: Mark = ""
    tie: bool = False  # not the best, but the interval of its paired difference from the best contains zero
    by_seed: Mapping[int, float] = field(default_factory=dict, compare=False)  # what that difference is taken of


@dataclass(frozen=True)
class Column:
    """One column. ``higher`` says whether larger values are better, None if neither is."""

    title: str
    higher: bool | None = None
    number: bool = True

    @property
    def label(self) -> str:
        """The title with an arrow to where better is."""
        return self.title + ARROWS[self.higher]


@dataclass(frozen=True)
class Panel:
    """One grid of a table, usually of one problem; its first column names the rows."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def text(self) -> pd.DataFrame:
        """The grid as a frame of strings."""
        import pandas as pd

        labels = [column.label for column in self.columns]
        return pd.DataFrame([[cell.text for cell in row] for row in self.rows], columns=labels)


@dataclass(frozen=True)
class Table:
    """Raw numbers in tidy columns, and the same numbers as people read them.

    ``folded`` panels are folded away in HTML and left out of report.md, though written to the table's own files.
    """

    name: str
    title: str
    caption: str
    raw: pd.DataFrame
    panels: tuple[Panel, ...]
    folded: tuple[Panel, ...] = ()
    more: str = ""  # what the folded panels are

    @property
    def text(self) -> pd.DataFrame:
        """All panels as one frame of strings, with the panels' titles in front where there are several."""
        import pandas as pd

        frames = []
        for panel in self.panels or self.folded:
            frame = panel.text
            if len(self.panels or self.folded) > 1:
                frame.insert(0, "", panel.title, allow_duplicates=True)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True).fillna("") if frames else pd.DataFrame()


@dataclass(frozen=True)
class Figure:
    """One picture. ``alt`` describes it in words."""

    name: str
    title: str
    alt: str
    svg: str


@dataclass(frozen=True)
class Statement:
    """A sentence, its tone, and the points that belong to it."""

    text: str
    tone: Tone = "plain"
    points: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.text.removesuffix('.')}: {'; '.join(self.points)}." if self.points else self.text


@dataclass(frozen=True)
class Part:
    """One part of the report. ``name`` is its anchor. ``preformatted`` texts are folded away under their titles."""

    name: str
    title: str
    statements: tuple[Statement, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    preformatted: dict[str, str] = field(default_factory=dict)


def file_names(titles: Iterable[str], stem: str) -> dict[str, str]:
    """``{title: file name without ending}``: safe on any disk, distinct, and just ``stem`` where there is one title."""
    titles = list(titles)
    if len(titles) == 1:
        return {titles[0]: stem}
    names: dict[str, str] = {}
    for title in titles:
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40]
        name = f"{stem}-{slug}" if slug else f"{stem}-{len(names) + 1}"
        names[title] = name if name not in names.values() else f"{name}-{len(names) + 1}"
    return names


def marked(cells: Sequence[Cell], higher: bool | None) -> list[Cell]:
    """The same cells with best, second, and those that no paired difference separates from the best (ties) marked."""
    ranked = sorted({cell.value for cell in cells if math.isfinite(cell.value)}, reverse=bool(higher))
    if higher is None or len(ranked) < 2:
        return list(cells)
    marks: dict[float, Mark] = {ranked[1]: "second", ranked[0]: "best"}
    best = next(cell for cell in cells if cell.value == ranked[0])
    return [
        replace(cell, mark=marks.get(cell.value, ""), tie=cell.value != best.value and _undecided(cell, best))
        for cell in cells
    ]


def _undecided(one: Cell, best: Cell) -> bool:
    """Whether the interval of the difference over the seeds that both have holds zero; without one there is no tie."""
    seeds = sorted(one.by_seed.keys() & best.by_seed.keys())
    interval = mean_interval([one.by_seed[seed] - best.by_seed[seed] for seed in seeds])
    return interval is not None and interval.contains(0)


def panel_of(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], hidden: Collection[str] = frozenset()
) -> Panel:
    """A panel with the best of each column marked, without the columns of ``hidden`` titles."""
    kept = [i for i, column in enumerate(columns) if column.title not in hidden]
    by_column = [marked([row[i] for row in rows], columns[i].higher) for i in kept]
    turned = tuple(tuple(cells[i] for cells in by_column) for i in range(len(rows)))
    return Panel(title, tuple(columns[i] for i in kept), turned)
