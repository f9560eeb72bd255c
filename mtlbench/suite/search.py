"""``tune.search``: a range for each dotted key, and the quasi-random points that are tried in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, exp, floor, isfinite, log, log10
from typing import Any

from ..core.errors import Issue
from ..core.wording import shown
from .entries import Checker
from .tree import Node

Chosen = tuple[tuple[str, Node], ...]  # a value for each of several dotted keys
Refused = Callable[[Chosen], list[Issue]]  # what is wrong with a method that takes them
RANGES = ("log", "linear", "values")
_MOST = 12  # 2^12 points, of which those that coincide after rounding count once
_DIGITS = 3


@dataclass(frozen=True)
class Range:
    """The values of one key, spread over 0 < u < 1.

    log     low (high / low)^u, to three significant digits
    linear  low + (high - low) u, to about a thousandth of high - low
    values  the one with the number floor(n u)

    Whole numbers are floored, on a range that is one longer, so that both ends are as likely as what lies between.
    """

    key: str
    kind: str
    values: tuple[Node, ...]  # both ends, or all values
    node: Node
    whole: bool = False

    def at(self, u: float) -> Node:
        """The value at ``u``, written where the range is."""
        if self.kind == "values":
            return self.values[floor(len(self.values) * u)]
        low, high = (end.value for end in self.values)
        beyond = high + 1 if self.whole else high
        exact = low * exp(u * log(beyond / low)) if self.kind == "log" else low + (beyond - low) * u
        value = _settled(exact)
        return self.written(min(max(floor(value) if self.whole else self._rounded(value), low), high))

    def _rounded(self, value: float) -> float:
        if self.kind == "log":
            return float(f"{value:.{_DIGITS}g}")
        low, high = (end.value for end in self.values)
        return float(round(value, _DIGITS - floor(log10(high - low))))

    def written(self, value: float) -> Node:
        """A value as if it were written where the range is; a wrong key is reported where the key is."""
        return Node(value, self.node.place, self.node.key)


def _settled(value: float) -> float:
    """Without the last bits, in which platforms differ: rounding to few digits then gives the same everywhere."""
    return float(f"{value:.12g}")


def points(ranges: Sequence[Range | None], budget: int) -> Iterator[Chosen]:
    """The first ``budget`` distinct points of the Sobol sequence in these ranges; fewer where the ranges hold no more.

    The sequence is not scrambled, and its first point, where all values are at an end, is left out. So the first to be
    tried is the middle of every range; a smaller budget gives the first points of a larger one; and a key's values
    depend on its place among the keys alone, so that a method with keys of its own behind the suite's tries the same
    values of these. Scrambled points would depend on the release of SciPy that drew them. Without the first point, 2^m
    points are no longer perfectly balanced, which costs integrals their rate (Owen, On dropping the first Sobol' point,
    MCQMC 2020); no integral is taken here. None stands for a key that is not searched and keeps its place.

    Source: Sobol, On the distribution of points in a cube and the approximate evaluation of integrals, USSR Comput.
    Math. Math. Phys. 1967; direction numbers of Joe and Kuo, Constructing Sobol sequences with better two-dimensional
    projections, SIAM J. Sci. Comput. 2008.
    """
    tried: set[str] = set()
    for row in _sobol(len(ranges)):
        chosen = tuple((r.key, r.at(u)) for r, u in zip(ranges, row, strict=True) if r is not None)
        what = json.dumps([value.plain() for _, value in chosen])
        if what not in tried:
            tried.add(what)
            yield chosen
        if len(tried) == budget:
            return


@lru_cache
def _sobol(dimensions: int) -> tuple[tuple[float, ...], ...]:
    """The sequence from its second point on."""
    from scipy.stats import qmc  # a plan without a search does without SciPy

    drawn = qmc.Sobol(dimensions, scramble=False).random_base2(_MOST)
    return tuple(map(tuple, drawn[1:].tolist()))


def read_ranges(search: Node, checker: Checker, refused: Refused) -> list[Range | None] | None:
    """The ranges of a search, None for each key that is set to null; None altogether where one is faulty."""
    ranges = [None if node.value is None else _read(key, node, checker, refused) for key, node in search.items()]
    faulty = any(r is None and node.value is not None for r, (_, node) in zip(ranges, search.items(), strict=True))
    return None if faulty else ranges


def _read(key: str, node: Node, checker: Checker, refused: Refused) -> Range | None:
    what = f"tune.search.{key}"
    if not node.is_mapping or len(node.value) != 1:
        expected = "expected one of {log: [low, high]}, {linear: [low, high]} and {values: [a, b]}"
        checker.add(node.place, f"{what}: {expected}, got {shown(node.plain())}")
        return None
    ((kind, given),) = node.items()
    if kind not in RANGES:
        checker.keys(node, RANGES, what)
        return None
    values = listed(f"{what}.{kind}", given, checker)
    if not values or (kind != "values" and not _are_ends(f"{what}.{kind}", kind, given, checker)):
        return None
    found = Range(key, kind, tuple(replace(value, key=node.key) for value in values), replace(given, key=node.key))
    issues = [issue for value in found.values for issue in refused(((key, value),))]
    checker.issues.extend(issues)
    return None if issues else replace(found, whole=kind != "values" and _is_whole(found, refused))


def listed(what: str, node: Node, checker: Checker) -> tuple[Node, ...]:
    """The items of a list of distinct values, none where it is faulty."""
    if not node.is_list or not node.value:
        checker.add(node.place, f"{what}: expected a list of one or more values, got {shown(node.plain())}")
        return ()
    plain = [value.plain() for value in node.value]
    if any(value in plain[:i] for i, value in enumerate(plain)):
        checker.add(node.place, f"{what}: expected distinct values, got {shown(plain)}")
        return ()
    return tuple(node.value)


def _are_ends(what: str, kind: str, node: Node, checker: Checker) -> bool:
    """Whether a list holds two numbers, the lower first; notes it otherwise."""
    ends: list[Any] = node.plain()
    numbers = len(ends) == 2 and all(type(end) in (int, float) and isfinite(end) for end in ends)
    if numbers and ends[0] < ends[1] and (kind != "log" or ends[0] > 0):
        return True
    expected = "two numbers > 0" if kind == "log" else "two numbers"
    checker.add(node.place, f"{what}: expected {expected}, the lower first, got {shown(ends)}")
    return False


def _is_whole(found: Range, refused: Refused) -> bool:
    """Whether a key takes whole numbers alone: it refuses a fraction in a range that has whole ends."""
    low, high = (end.value for end in found.values)
    if low != floor(low) or high != ceil(high):
        return False
    return bool(refused(((found.key, found.written(low + 0.5)),)))
