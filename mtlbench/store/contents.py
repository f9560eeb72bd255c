"""Everything that lies among the trials of a folder: from their columns where these still say what the files say, and
from the files themselves where not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .columns import Columns
from .facts import Facts, Kinds
from .sealed import NotBelievedError, seal_of
from .trial_files import Refused, Stored, read_trial

AT_ONCE = 512  # trials that become a part of the columns together

Found = tuple[Stored, Facts | None] | Refused  # a trial without its records, and these as columns


def look_through(folder: Path, kinds: Kinds | None = None, keep: bool = False) -> Iterator[Found]:
    """Every file of ``trials/`` whose name is that of a trial, in no order.

    kinds  numbers for the facts; None where these are not asked for
    keep   whether what the columns lack is added to them
    """
    paths = {path.stem: path for path in (folder / "trials").glob("*.json")}
    columns = Columns(folder)
    for stored, facts in columns.read(lambda identity, seal: _says(paths.get(identity), seal), kinds):
        if paths.pop(stored.trial.id, None):
            yield stored, facts
    numbers, read = Kinds() if kinds is None else kinds, []
    for path in sorted(paths.values()):
        found = read_file(path, numbers, with_records=keep or kinds is not None)
        if found is None:
            continue
        yield found
        if keep and not isinstance(found, Refused):
            read.append(found)
        if len(read) == AT_ONCE:
            columns.append(read, numbers)
            read = []
    if keep:
        columns.append(read, numbers)


def read_file(path: Path, kinds: Kinds, with_records: bool = True) -> tuple[Stored, Facts] | Refused | None:
    """What one file says, or why it is not believed; None where there is nothing."""
    try:
        stored = read_trial(path, with_records)
    except FileNotFoundError:
        return None
    except NotBelievedError as error:
        return Refused(path, error.why, str(error))
    return replace(stored, result=replace(stored.result, records=())), kinds.facts(stored.result.records)


def _says(path: Path | None, seal: str) -> bool:
    """Whether a file has this seal, and content that fits it."""
    try:
        return path is not None and seal_of(path) == seal
    except (FileNotFoundError, NotBelievedError):
        return False
