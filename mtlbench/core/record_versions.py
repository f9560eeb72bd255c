"""Results of earlier versions in the vocabulary of today: the one place that knows how records used to be written.

Version 1 had no field for the second task of a pair:

- "cosine with u" and "affinity onto u" held its name in the metric's
- "correlation" held its place among the trial's tasks, from 0, in ``step``

Version 2 has the records of version 3, but files without a checksum, and no account of the code that made them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .record import CORRELATION, COSINE, LOOKAHEAD_AFFINITY, VERSION

SEALED = 3  # the first version whose files carry a checksum
_PREFIXES = {"cosine with ": COSINE, "affinity onto ": LOOKAHEAD_AFFINITY}


def modernised(result: Mapping[str, Any], tasks: Sequence[str]) -> Mapping[str, Any]:
    """The JSON of a result as ``Result.to_json`` would write it today; ``tasks`` are those of its trial, in order.

    Raises ValueError for a result of a version that does not exist yet.
    """
    version = result["version"]
    if version == VERSION:
        return result
    if version == 2:
        return {**result, "version": VERSION}
    if version != 1:
        raise ValueError(f"expected a result of version 1 to {VERSION}, got {version!r}: update mtlbench")
    records = tuple(_from_version_1(record, tasks) for record in result["records"])
    return {**result, "records": records, "version": VERSION}


def _from_version_1(record: Mapping[str, Any], tasks: Sequence[str]) -> Mapping[str, Any]:
    if record["split"] != "train":
        return record
    metric, step = record["metric"], record["step"]
    if metric == CORRELATION and 0 <= step < len(tasks):
        return {**record, "other": tasks[step], "step": 0}
    for prefix, name in _PREFIXES.items():
        if metric.startswith(prefix):
            return {**record, "metric": name, "other": metric.removeprefix(prefix)}
    return record
