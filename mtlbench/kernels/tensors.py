"""Lists of tensors as a suite writes them: ``100 x 64x64`` is a hundred tensors of 64×64; k and M are 10³ and 10⁶."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from ..core.wording import shown

_SIZE = r"[1-9][0-9]*[kM]?"
_GROUP = rf"{_SIZE} x {_SIZE}(x{_SIZE})*"
_UNITS = {"k": 1_000, "M": 1_000_000}


def _groups(value: object) -> object:
    groups = [value] if isinstance(value, str) else value
    if (
        isinstance(groups, list)
        and groups
        and all(isinstance(group, str) and re.fullmatch(_GROUP, group) for group in groups)
    ):
        return tuple(groups)
    raise ValueError(f"expected COUNT x SHAPE such as 100 x 64x64 or 8 x 4M, or a list of them, got {shown(value)}")


_TEXT = {"type": "string", "pattern": f"^{_GROUP}$"}
_SCHEMA = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
Tensors = Annotated[tuple[str, ...], BeforeValidator(_groups), WithJsonSchema(_SCHEMA)]
Shape = tuple[int, ...]


def shapes(groups: Iterable[str]) -> list[Shape]:
    """The shape of every tensor, group by group."""
    all_shapes: list[Shape] = []
    for group in groups:
        count, shape = group.split(" x ")
        all_shapes += [tuple(map(_size, shape.split("x")))] * _size(count)
    return all_shapes


def _size(text: str) -> int:
    return int(text.rstrip("kM")) * _UNITS.get(text[-1], 1)


def elements(groups: Iterable[str]) -> int:
    """The total number of elements of all tensors."""
    return sum(map(prod, shapes(groups)))
