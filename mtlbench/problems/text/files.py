"""Lines of text files: plain, gzipped or inside a zip archive. Every fault is a DataError naming file and line."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

from ...core.errors import DataError
from ...core.regular import opened_regular
from ..files import find, guarded, opened


class Source(NamedTuple):
    """A file, or a member of a zip archive that a path leads into, as in ``corpora.zip/folder/train.txt``."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)


def locate(root: Path, name: str) -> Source:
    """The file that ``name`` refers to, relative to ``root``. Raises DataError if it, or its archive, is missing."""
    path = root / Path(name).expanduser()
    archive = next((parent for parent in path.parents if parent.suffix == ".zip" and parent.is_file()), None)
    if archive is None:
        return Source(find(root, name))
    return Source(find(archive.parent, archive.name), path.relative_to(archive).as_posix())


def read_lines(source: Source, encoding: str) -> list[str]:
    """The lines without their ends; only "\\n" and "\\r\\n" end a line. Raises DataError."""
    content = _member(source) if source.member else _whole(source.path)
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise DataError(f"{source}: expected the name of an encoding, got {encoding!r}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source}:{line}: expected text in {encoding}, got byte 0x{content[error.start]:02x}; state its encoding "
            "(latin-1 reads any file)"
        ) from error
    lines = text.removesuffix("\n").split("\n")
    if lines == [""]:
        raise DataError(f"{source}: expected lines of text, got an empty file")
    return [line.removesuffix("\r") for line in lines]


def _whole(path: Path) -> bytes:
    if path.suffix == ".zip":
        raise DataError(f"{path}: expected a path that leads to a file inside, such as {path.name}/{_first(path)}")
    with opened(path) as stream:
        return stream.read()


def _member(source: Source) -> bytes:
    try:
        with guarded(source.path), opened_regular(source.path) as file, zipfile.ZipFile(file) as archive:
            return archive.read(source.member)
    except KeyError:
        raise DataError(f"{source}: no such file in the archive, which has {_first(source.path)} …") from None
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{source.path}: expected a zip archive, got a damaged one ({error}); fetch it again"
        ) from error


def _first(path: Path) -> str:
    """The first file of an archive."""
    try:
        with guarded(path), opened_regular(path) as file, zipfile.ZipFile(file) as archive:
            return next((name for name in archive.namelist() if not name.endswith("/")), "nothing")
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: expected a zip archive, got a damaged one ({error}); fetch it again") from error
