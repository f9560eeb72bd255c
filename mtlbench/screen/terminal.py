"""Terminals that cannot show every sign: another stands for it, where Python would give up on the whole text."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from typing import Final

_INSTEAD: Final = {
    "Δ": "Delta ", "Σ": "Sum ", "λ": "lambda", "μ": "mu", "µ": "u", "β": "beta", "±": "+/-", "×": "x", "·": "*",
    "−": "-", "–": "-", "—": "-", "‐": "-", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "≤": "<=", "≥": ">=",
    "→": "->", "←": "<-", "↑": "(higher)", "↓": "(lower)", "√": "sqrt", "≈": "~", "∞": "inf", "⁻": "^-",
}  # fmt: skip
_HANDLER = "mtlbench.another_sign"


def plain(sign: str) -> str:
    """A sign in ASCII: by the table, or without its accent; "?" where there is none."""
    bare = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode("ascii")
    return _INSTEAD.get(sign) or bare or "?"


def show_all() -> None:
    """Let standard output and error replace what they cannot encode: under LC_ALL=C everything beyond ASCII, and
    elsewhere names of files that are no text in the locale's encoding.
    """
    codecs.register_error(_HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not where a test or a notebook has put its own
            stream.reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(plain, error.object[error.start : error.end])), error.end
