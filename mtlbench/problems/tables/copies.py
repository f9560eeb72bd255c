"""Duplicate rows of a table: a test row that also occurs in training does not test generalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..splits import TEST, TRAIN
from .features import Feature, Numeric
from .tasks import Labels

if TYPE_CHECKING:
    from ...core.task import Array


def copies(features: Sequence[Feature], labels: Sequence[Labels], tasks: Sequence[Labels], part: Array) -> list[str]:
    """A note on rows with equal features, labels and group, if the split ``part`` [N] tests on copies of training rows.
    They are not removed, since the file does not tell whether they are errors or equal by chance.
    """
    import numpy as np
    import pandas as pd

    columns = [f.values if isinstance(f, Numeric) else f.codes for f in features]
    columns += [np.where(label.known, label.values, np.nan) for label in labels]
    columns.append(sum((n * task.known for n, task in enumerate(tasks)), np.zeros(len(part))))  # the row's group
    rows = pd.util.hash_pandas_object(pd.DataFrame(dict(enumerate(columns))), index=False).to_numpy()
    tested = rows[part == TEST]
    seen = int(np.isin(tested, rows[part == TRAIN]).sum())
    if not seen:
        return []
    again = len(rows) - len(np.unique(rows))
    return [
        f"{again:,} of {len(rows):,} rows repeat an earlier one, features and labels alike; with seed 0, {seen:,} of "
        f"{len(tested):,} test rows ({seen / len(tested):.0%}) are copies of training rows"
    ]
