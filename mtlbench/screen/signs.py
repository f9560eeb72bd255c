"""Signs that a terminal's encoding lacks are shown as others, so that no run ends with an error over its last line.

Under ``LC_ALL=C`` Python encodes what it prints as ASCII, and a ``±`` would raise UnicodeEncodeError.
"""

from __future__ import annotations

import codecs
import sys
import unicodedata

_HANDLER = "mtlbench.signs"
_INSTEAD = {
    "–": "-", "—": "-", "−": "-", "×": "x", "·": "*", "±": "+-", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~",
    "→": "->", "←": "<-", "↑": "^", "↓": "v", "✔": "+", "✘": "x", "⚠": "!", "“": '"', "”": '"', "‘": "'", "’": "'",
    "Δ": "delta ", "λ": "lambda", "β": "beta", "ε": "epsilon", "µ": "u", "μ": "mu", "°": " degrees", "‖": "||",
    "━": "-", "╸": "-", "╺": "-", "│": "|", "┃": "|", "•": "*", "€": "EUR", "ß": "ss",
}  # fmt: skip


def replace_missing_signs() -> None:
    """Let standard output and error replace what their encoding lacks: by a sign much like it, letters without their
    accents, or a question mark.
    """
    codecs.register_error(_HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):  # what tests put there may have none
            reconfigure(errors=_HANDLER)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_instead(sign, error.encoding) for sign in missing), error.end


def _instead(sign: str, encoding: str) -> str:
    """A sign of the encoding. A byte of a file's name that is no text stands as a surrogate, and is shown as one."""
    near = _INSTEAD.get(sign) or unicodedata.normalize("NFKD", sign).encode(encoding, "ignore").decode(encoding)
    return near or "?"
