"""Digests of files, each read once a process for as long as it stays what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from .regular import opened_regular

Stamp = tuple[int, ...]
_known: dict[Path, tuple[Stamp, str]] = {}


def stamp(path: Path) -> Stamp:
    """What changes with every change of a file: size, times of its content and of its entry, and the entry itself.

    The time of the entry cannot be set, so that another file with the size and the time of the first is noticed.
    Raises OSError.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal. Raises OSError, also where it is no regular file."""
    now = stamp(path)
    before = _known.get(path)
    if before and before[0] == now:
        return before[1]
    with opened_regular(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _known[path] = (now, digest)
    return digest


def joint_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of the digests of several files in their order; "" for no file. Raises OSError."""
    return _joint(map(file_digest, paths))


def content_digest(content: bytes) -> str:
    """``joint_digest`` of one file, from the bytes that were read of it."""
    return _joint([hashlib.sha256(content).hexdigest()])


def _joint(digests: Iterable[str]) -> str:
    parts = [bytes.fromhex(digest) for digest in digests]
    return hashlib.sha256(b"".join(parts)).hexdigest() if parts else ""
