"""What trial files say, in columns: a cache in ``columns/``, appended to while trials run, so that plans and reports of
many trials need not parse every file again.

Never believed in a file's place. A row counts for a file whose seal, the SHA-256 of all that it says, was checked now
and is the row's; whatever is changed, damaged or exchanged has another seal, or none, and is read itself. A part is
named by the SHA-256 of its content, and counts while the code is as it was that reads and judges trial files. Whoever
deletes the folder loses time alone.

A part holds a row for each trial: id and seal, the trial as template and seed, the result, and its records as lists of
kinds, steps and values; the kinds stand in the part's metadata.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.digests import joint_digest
from ..core.record import Result
from ..core.regular import opened_regular
from .facts import Facts, Kind, Kinds
from .files import write_atomically
from .templates import Templates, template_of
from .trial_files import Stored, plain

if TYPE_CHECKING:
    import pyarrow as pa

_READER, _KINDS = b"mtlbench.reader", b"mtlbench.kinds"  # keys of a part's metadata
_HEAD = ("id", "seal", "template", "seed", "result", "environment", "failures", "undertrained")
_FACTS = ("kind", "step", "value")
_AT_ONCE = 256  # rows in memory
_MOST_SEED = 2**63 - 1  # a larger one has no column; its file is read itself

Known = tuple[Stored, Facts | None]  # a trial without its records, and these as columns where they were asked for


class Columns:
    """The columns of one results folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "columns"
        self._outdated: list[Path] = []

    def read(self, believed: Callable[[str, str], bool], kinds: Kinds | None = None) -> Iterator[Known]:
        """The trials whose id and seal are ``believed``; with their facts, numbered by ``kinds``, where it is given."""
        templates, environments = Templates(), _Environments()
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                with opened_regular(path) as file:
                    data = file.read()
            except OSError:
                continue  # another process has removed it, or it is none of ours
            of_part = _kinds_of(data) if hashlib.sha256(data).hexdigest() == path.stem else None
            if of_part is None:
                self._outdated.append(path)
                continue
            places = None if kinds is None else [kinds.number(kind) for kind in of_part]
            for row, facts in _rows(data, places):
                if believed(row["id"], row["seal"]):
                    yield _stored(row, templates, environments), facts

    def append(self, rows: Sequence[tuple[Stored, Facts]], kinds: Kinds) -> None:
        """Keep some trials, and remove what no reader of today would believe."""
        able = [(stored, facts) for stored, facts in rows if stored.seal and abs(stored.trial.seed) <= _MOST_SEED]
        if able:
            data = _part(able, kinds)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / f"{hashlib.sha256(data).hexdigest()}.parquet", data)
        for path in self._outdated:
            with contextlib.suppress(OSError):
                path.unlink()
        self._outdated = []


class _Environments(dict[str, dict[str, Any]]):
    """Environments by their texts, each of which is read once."""

    def __missing__(self, text: str) -> dict[str, Any]:
        self[text] = json.loads(text)
        return self[text]


@cache
def _reader() -> str:
    """The digest of the code that reads trial files and judges what they say."""
    package = Path(__file__).parent.parent
    return joint_digest(path for room in ("core", "store") for path in sorted((package / room).glob("*.py")))


def _kinds_of(data: bytes) -> list[Kind] | None:
    """The kinds of a part; None for a part of another reader."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException, BufferReader

    try:
        told = pq.read_schema(BufferReader(data)).metadata or {}
    except (ArrowException, OSError):
        return None
    if told.get(_READER) != _reader().encode():
        return None
    return [Kind(*kind) for kind in json.loads(told[_KINDS])]


def _rows(data: bytes, places: list[int] | None) -> Iterator[tuple[dict[str, Any], Facts | None]]:
    """The rows of a part; facts with the numbers that kinds have at their places."""
    import pyarrow.parquet as pq
    from pyarrow import BufferReader

    names = [*_HEAD, *(_FACTS if places is not None else ())]
    for batch in pq.ParquetFile(BufferReader(data)).iter_batches(_AT_ONCE, columns=names):
        rows = batch.select(_HEAD).to_pylist()
        facts = _facts(batch, places) if places is not None else [None] * len(rows)
        yield from zip(rows, facts, strict=True)


def _facts(batch: pa.RecordBatch, places: list[int]) -> Iterator[Facts]:
    import numpy as np

    kind, step, value = (batch.column(name).flatten().to_numpy(zero_copy_only=False) for name in _FACTS)
    kind = np.array(places, np.int32)[kind]
    ends = np.cumsum(batch.column("kind").value_lengths().to_numpy(zero_copy_only=False))
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        yield Facts(kind[start:end], step[start:end], value[start:end])


def _stored(row: dict[str, Any], templates: Templates, environments: _Environments) -> Stored:
    result = Result.from_json({**json.loads(row["result"]), "environment": environments[row["environment"]]})
    failures = tuple(map(Result.from_json, json.loads(row["failures"])))
    trial = templates.trial(row["template"], row["seed"])
    return Stored(trial, result, failures, undertrained=row["undertrained"], seal=row["seal"])


def _part(rows: Sequence[tuple[Stored, Facts]], kinds: Kinds) -> bytes:
    """The content of a part."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {name: [] for name in _HEAD}
    for stored, _ in rows:
        for name, value in zip(_HEAD, _head(stored), strict=True):
            columns[name].append(value)
    offsets = pa.array(np.cumsum([0, *(len(facts) for _, facts in rows)]), pa.int32())
    for name, dtype in zip(_FACTS, (np.int32, np.int64, np.float64), strict=True):
        values = np.concatenate([getattr(facts, name) for _, facts in rows]).astype(dtype)
        columns[name] = pa.ListArray.from_arrays(offsets, pa.array(values))
    columns["undertrained"] = pa.array(columns["undertrained"], pa.bool_())
    table = pa.table(columns).replace_schema_metadata({_READER: _reader(), _KINDS: json.dumps(list(kinds))})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _head(stored: Stored) -> tuple[object, ...]:
    result = plain(stored.result)
    environment = result.pop("environment")
    texts = (json.dumps(each) for each in (result, environment, [*map(plain, stored.failures)]))
    return (stored.trial.id, stored.seal, *template_of(stored.trial), *texts, stored.undertrained)
