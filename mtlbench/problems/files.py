"""Locating, opening and decompressing the user's files. Every fault is a DataError that names the file."""

from __future__ import annotations

import difflib
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..core.errors import DataError
from ..core.regular import REFUSED, opened_regular

GZIP = b"\x1f\x8b"


def find(root: Path, name: str) -> Path:
    """The readable regular file that ``name`` means, relative to ``root``. Raises DataError."""
    path = root / Path(name).expanduser()
    try:
        if path.is_dir():
            raise DataError(f"{path}: expected a file, got a directory")
        if not path.exists():
            raise DataError(f"{path}: no such file; {_nearest(path)}")
        if not path.is_file():
            raise DataError(f"{path}: {REFUSED}")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: cannot be read (permission denied); make it readable with chmod u+r")
    return path


def _nearest(path: Path) -> str:
    names = os.listdir(path.parent) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean '{near[0]}'?" if near else "relative paths start at the folder of the suite file"


def is_zipped(path: Path) -> bool:
    """Whether the file is gzipped, judged by its first bytes rather than its name."""
    with guarded(path), opened_regular(path) as stream:
        return stream.read(2) == GZIP


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed if it is gzipped. Raises DataError, also for damage detected while reading."""
    zipped = is_zipped(path)
    with guarded(path), opened_regular(path) as stream:
        if not zipped:
            yield stream
            return
        with gzip.open(stream, "rb") as unzipped:
            yield unzipped  # type: ignore[misc]  # typeshed does not know it for an IO[bytes]


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Convert errors while reading ``path`` into DataError."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected a whole gzip file, got a damaged one ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
