"""Errors that a user can fix. The command line prints them without a traceback and exits with code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class MtlbenchError(Exception):
    """Something the user can fix; the message says what was expected and how to fix it."""

    exit_code: ClassVar[int] = 2


class DataError(MtlbenchError):
    """The data of a problem are unusable; the message names the file and, where there is one, the column."""


class UnavailableError(MtlbenchError):
    """Something that is asked for is not on this machine (a GPU, a package, a Ray cluster)."""


class Diverged(MtlbenchError):
    """A loss became NaN or infinite."""


class TimedOut(MtlbenchError):
    """A trial ran past its deadline."""


@dataclass(frozen=True, order=True)
class Issue:
    """One fault of a suite file. Lines and columns count from 1; 0 where the fault has no place."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class SuiteError(MtlbenchError):
    """Every fault found in one suite file, in the order of the file."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = tuple(sorted(set(issues)))
        super().__init__("\n".join(map(str, self.issues)))


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A clause naming the nearest known name, or all of them where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"expected one of {', '.join(names)}" if names else "none is known"


def either(words: Iterable[str]) -> str:
    """The words as a choice: "a, b or c"."""
    listed = list(words)
    return " or ".join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))
