"""Names of columns as suites write them: lists of different texts, in one Unicode form.

The same é is one code point in one file and two in another; both are written alike here, so that they match.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field


def composed(name: str) -> str:
    """The name in Unicode's composed form, NFC."""
    return unicodedata.normalize("NFC", name)


def different(names: Iterable[str]) -> tuple[str, ...]:
    """The names in composed form. Raises ValueError if two of them are the same then."""
    written = tuple(map(composed, names))
    double = [name for name, count in Counter(written).items() if count > 1]
    if double:
        raise ValueError(f"expected different names, got '{double[0]}' {written.count(double[0])} times")
    return written


Name = Annotated[str, AfterValidator(composed)]
Names = Annotated[tuple[str, ...], AfterValidator(different), Field(strict=False)]
