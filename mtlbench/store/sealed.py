"""JSON files that carry a checksum of themselves, and the reasons why a file is not believed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..core.regular import opened_regular

_HEAD, _REST = '{"sha256": "', '", '
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
    return f"{_HEAD}{hashlib.sha256(text.encode()).hexdigest()}{_REST}{text[1:]}"


def read_sealed(path: Path) -> tuple[dict[str, Any], bool]:
    """What ``sealed`` was given, and whether there was a seal, which files of earlier versions lack.

    Raises FileNotFoundError where there is nothing, and NotBelievedError.
    """
    text = _text(path)
    is_sealed = text.startswith(_HEAD)
    if is_sealed:
        digest, found, rest = text.removeprefix(_HEAD).partition(_REST)
        text = "{" + rest
        if not found or hashlib.sha256(text.encode()).hexdigest() != digest:
            raise NotBelievedError("checksum-differs", "its checksum is not that of its content")
    try:
        content = json.loads(text)
    except MALFORMED as error:
        raise NotBelievedError("no-json", f"expected JSON, got {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise NotBelievedError("no-json", f"expected a JSON object, got {type(content).__name__}")
    return content, is_sealed


def _text(path: Path) -> str:
    """The text of a regular file. Anything else is refused without waiting for it: a pipe, a device, a loop."""
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
            return file.read().decode()
        except (UnicodeDecodeError, OSError) as error:
            raise NotBelievedError("no-json", f"expected text, got {type(error).__name__}") from error
