"""JSON files that carry a checksum of themselves, and the reasons why a file is not believed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..core.regular import opened_regular

_HEAD, _REST = b'{"sha256": "', b'", '
_MOST_BYTES = 1 << 30  # more than any trial leaves; what a device or a hole in a disk may pretend to hold
# Whatever reading a foreign file may raise.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


class NotBelievedError(Exception):
    """A file that is not what it should be. ``why`` is the reason in short, fit for a file's name."""

    def __init__(self, why: str, told: str) -> None:
        super().__init__(told)
        self.why = why


def sealed(content: dict[str, Any]) -> str:
    """The text of a JSON object that begins with the SHA-256 of all the rest."""
    text = json.dumps(content) + "\n"
    return f"{_HEAD.decode()}{hashlib.sha256(text.encode()).hexdigest()}{_REST.decode()}{text[1:]}"


def read_sealed(path: Path) -> tuple[dict[str, Any], str]:
    """What ``sealed`` was given, and its seal; "" for files of earlier versions, which have none.

    Raises FileNotFoundError where there is nothing, and NotBelievedError.
    """
    seal, data = _checked(path)
    try:
        content = json.loads(data.decode())
    except UnicodeDecodeError as error:
        raise NotBelievedError("no-json", f"expected text, got {type(error).__name__}") from error
    except MALFORMED as error:
        raise NotBelievedError("no-json", f"expected JSON, got {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise NotBelievedError("no-json", f"expected a JSON object, got {type(content).__name__}")
    return content, seal


def seal_of(path: Path) -> str:
    """The SHA-256 that a file begins with, if it is that of its content now: of equal seals, equal contents; "" for a
    file without one. Raises FileNotFoundError where there is nothing, and NotBelievedError.
    """
    return _checked(path)[0]


def _checked(path: Path) -> tuple[str, bytes]:
    """The seal of a file, and the JSON that it is of."""
    data = _bytes(path)
    if not data.startswith(_HEAD):
        return "", data
    digest, found, rest = data.removeprefix(_HEAD).partition(_REST)
    data = b"{" + rest
    if not found or hashlib.sha256(data).hexdigest().encode() != digest:
        raise NotBelievedError("checksum-differs", "its checksum is not that of its content")
    return digest.decode(), data


def _bytes(path: Path) -> bytes:
    """The content of a regular file. Anything else is refused without waiting for it: a pipe, a device, a loop."""
    try:
        file = opened_regular(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise NotBelievedError("no-file", "expected a file, got a link to nowhere") from None
        raise
    except OSError as error:
        raise NotBelievedError("no-file", f"expected a readable file, got: {error.strerror}") from error
    with file:
        size = os.fstat(file.fileno()).st_size
        if size > _MOST_BYTES:
            raise NotBelievedError("too-large", f"expected at most {_MOST_BYTES} bytes, got {size}")
        try:
            return file.read()
        except OSError as error:
            raise NotBelievedError("no-json", f"expected text, got {type(error).__name__}") from error
