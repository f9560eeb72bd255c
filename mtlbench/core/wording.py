"""Values and paths of keys as messages show them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError


def shown(value: Any) -> str:
    """A plain value as its writer would recognise it, in at most 60 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"a mapping with the keys {', '.join(value)}"[:60] if value else "an empty mapping"
    if isinstance(value, list):
        text = f"[{', '.join(map(shown, value))}]"
        return text if len(text) <= 60 else f"a list of {len(value)} items"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:58]}…"


def quoted(value: object) -> str:
    """The advice for a value that YAML did not read as text."""
    return f"quote it: '{shown(value)}'"


def first_sentence(error: ValidationError) -> str:
    """The first fault in short, for a message of which it is a part."""
    first = error.errors(include_url=False)[0]
    path = dotted(first["loc"])
    return f"{path}: {first['msg']}" if path else str(first["ctx"]["error"])


def dotted(path: tuple[str | int, ...]) -> str:
    """``("trunk", "hidden", 1)`` as ``trunk.hidden[1]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def listing(items: Iterable[str], most: int = 6) -> str:
    """``a, b and c``; after ``most`` of them, ``… and 4 more``."""
    names = list(items)
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plural(n: int, noun: str) -> str:
    """``1 seed``, ``5 seeds``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def clean(text: object) -> str:
    """Text without what breaks XML, terminals or lines: control, surrogate and text-direction characters."""
    shown = "".join(" " if c in "\n\r\t" else c for c in str(text))
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join("\ufffd" if unicodedata.category(c) in {"Cc", "Cs"} or c in _DIRECTION else c for c in shown)


def clean_lines(text: str) -> str:
    """The same of a text of many lines, which it keeps."""
    return "\n".join(map(clean, text.split("\n")))


_DIRECTION = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff"
