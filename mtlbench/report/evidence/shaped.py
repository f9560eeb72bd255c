"""The store's frames with every column present, each of one type.

Facts are many and the words in them few, so that words of facts are categories, one or two bytes a row: sorted by name,
so that groups come in the order in which groups of the words themselves would come, and never missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

_DIVERGED = 1e100  # a larger metric counts as NaN, since its square would overflow


class Told(NamedTuple):
    """One fact of a trial, as ``core.score.Fact`` asks for it."""

    split: str
    task: str
    metric: str
    value: float
    step: int


class FactsByTrial:
    """Facts by the id of their trial, made one trial at a time: as objects they would fill the memory."""

    def __init__(self, facts: pd.DataFrame) -> None:
        words = [facts[name].cat for name in ("split", "task", "metric")]
        self._words = [(np.asarray(word.categories, dtype=object), word.codes.to_numpy()) for word in words]
        self._values, self._steps = (facts[name].to_numpy() for name in ("value", "step"))
        trial = facts["trial"].cat
        codes = trial.codes.to_numpy()
        self._order = np.argsort(codes, kind="stable")
        found, starts, counts = np.unique(codes[self._order], return_index=True, return_counts=True)
        self._spans = dict(zip(trial.categories[found], zip(starts, starts + counts, strict=True), strict=True))

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def of(self, trial: str) -> list[Told]:
        """The facts of one trial, in the order of the frame; none for one that has none."""
        start, end = self._spans.get(trial, (0, 0))
        chosen = self._order[start:end]
        columns = [names[codes[chosen]].tolist() for names, codes in self._words]
        return list(map(Told, *columns, self._values[chosen].tolist(), self._steps[chosen].tolist()))


def shaped(frame: pd.DataFrame, defaults: Mapping[str, Any], categories: bool = False) -> pd.DataFrame:
    """All columns of ``defaults``, with their types: words, tuples, truths and numbers, NaN where they diverged."""
    return pd.DataFrame({name: _column(frame, name, default, categories) for name, default in defaults.items()})


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames of facts on top of each other, whatever their categories."""
    first, *others = frames
    columns: dict[Any, Any] = {}
    for name in first:
        parts, kind = [frame[name] for frame in frames], first[name].dtype
        alike = all(other[name].dtype == kind for other in others)
        if isinstance(kind, pd.CategoricalDtype) and not alike:
            columns[name] = pd.api.types.union_categoricals(parts, sort_categories=True)
        else:
            columns[name] = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns)


def said(frame: pd.DataFrame, word: str) -> pd.Categorical:
    """A column that says the same word of every row."""
    return chosen(np.zeros(len(frame), dtype=np.int8), [word])


def chosen(places: np.ndarray[Any, Any], words: Sequence[str]) -> pd.Categorical:
    """The column that has a word of some, in alphabetical order, at each place."""
    return pd.Categorical.from_codes(places, pd.Index(np.array(words, dtype=object), dtype="str"))


def _column(frame: pd.DataFrame, name: str, default: Any, categories: bool) -> pd.Series[Any] | pd.Categorical:
    if isinstance(default, str) and categories:
        return _category(frame[name]) if name in frame else said(frame, "")
    if name not in frame:
        kind = object if isinstance(default, str | tuple) else type(default)
        return pd.Series([default] * len(frame), index=frame.index, dtype=kind)
    column = frame[name]
    if isinstance(default, str):
        return pd.Series(_words(column), index=frame.index, dtype=object)
    if isinstance(default, tuple):
        return pd.Series([tuple(names) for names in column], index=frame.index, dtype=object)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = pd.Series(np.where(np.abs(values) < _DIVERGED, values, np.nan), index=frame.index)
    return numbers if default is np.nan else numbers.fillna(float(default)).astype(type(default))


def _category(column: pd.Series[Any]) -> pd.Series[Any] | pd.Categorical:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.is_monotonic_increasing and column.notna().all():
        names = list(dtype.categories)
        if all(isinstance(name, str) for name in names):
            return chosen(column.cat.codes.to_numpy(), names)
    words = _words(column)
    names = sorted(set(words))
    return chosen(pd.Index(names, dtype="str").get_indexer(pd.Index(words, dtype="str")), names)


def _words(column: Iterable[object]) -> list[str]:
    return ["" if value is None or value is pd.NA or value != value else str(value) for value in column]
