"""``tune``: the keys of which a suite gives several values or a range, of which each seed takes what its own validation
split prefers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from math import prod

from ..core.errors import did_you_mean
from ..core.parts import tunable
from ..core.settings import MAX_CANDIDATES
from ..core.wording import shown
from .entries import Checker
from .search import Chosen, Range, Refused, listed, points, read_ranges
from .tree import Node, merge

_SEARCH = {
    "budget": "how many points each method tries",
    "search": "ranges by key, as {optimizer.lr: {log: [1.0e-4, 1.0e-1]}}",
}


def is_search(tune: Node) -> bool:
    """Whether ``tune`` is a budget and ranges, instead of lists of values."""
    return "search" in tune or "budget" in tune


def varied(tune: Node) -> Node:
    """What ``tune`` says by dotted key: lists of values, or the ranges of a search."""
    if not is_search(tune):
        return tune
    return tune["search"] if "search" in tune and tune["search"].is_mapping else Node({})


def without(tune: Node, *keys: str) -> Node:
    """``tune`` without some dotted keys."""
    if not is_search(tune):
        return tune.without(*keys)
    return tune.plus(search=tune["search"].without(*keys)) if keys else tune


def joined(suite: Node, own: Node) -> Node:
    """The suite's ``tune`` and a method's own. A search joins the suite's: keys of its own come behind the suite's, and
    a key of both has the method's range, or none if that is null; anything else replaces the suite's.
    """
    return merge(suite, own) if is_search(suite) and is_search(own) else own


def topmost(tune: Node) -> Node:
    """Every range as the last of the layers that were merged into it has it: ranges replace each other whole."""
    if not varied(tune).is_mapping or not is_search(tune):
        return tune
    ranges = {key: replace(n.layers[-1], key=n.key) if n.layers else n for key, n in varied(tune).items()}
    return tune.plus(search=replace(tune["search"], value=ranges, layers=())) if ranges else tune


def alternatives(tune: Node, checker: Checker, refused: Refused, partial: bool = False) -> Iterator[tuple[str, Node]]:
    """(label, overrides) of everything that is to be tried, nothing where tune is faulty: of lists, every combination
    of values in the order of the file; of a search, ``budget`` points.

    ``{optimizer.lr: [0.1, 0.01]}`` gives ("optimizer.lr=0.1", {optimizer: {lr: 0.1}}) and the same for 0.01.

    refused  what is wrong with a method that takes given values
    partial  whether methods may still bring what is missing

    Each seed, and each task of the baseline, chooses for itself. Seeds could share their validation scores, but their
    splits overlap: a value chosen by another seed's validation rows has seen rows of this seed's test split.
    """
    if not checker.mapping(tune, "tune") or not _are_keys(tune, checker):
        return
    for chosen in _searched(tune, checker, refused, partial) if is_search(tune) else _combined(tune, checker):
        yield ", ".join(f"{key}={_brief(value)}" for key, value in chosen), overrides(chosen)


def _are_keys(tune: Node, checker: Checker) -> bool:
    """Whether every key can be varied, and none lies in another; notes it otherwise."""
    if is_search(tune):
        for key, node in tune.without("budget", "search").items():
            checker.add(node.key, f"tune: expected budget and search alone, got '{key}': give its range under search")
    before = len(checker.issues)
    keys = [key for key, _ in varied(tune).items()]
    for key, node in varied(tune).items():
        part = key.split(".", 1)[0]
        if part not in tunable():
            checker.add(node.key, f"tune: cannot vary '{key}': {did_you_mean(part, tunable())}")
        elif outer := [other for other in keys if key.startswith(f"{other}.")]:
            checker.add(node.key, f"tune: '{outer[0]}' and '{key}' set the same: write whole values under '{outer[0]}'")
    return len(checker.issues) == before


def _combined(tune: Node, checker: Checker) -> Iterable[Chosen]:
    """Every combination of the listed values."""
    axes = [
        [
            (key, replace(value, key=node.key)) for value in listed(f"tune.{key}", node, checker)
        ]  # a wrong key is told once
        for key, node in tune.items()
    ]
    count = prod(map(len, axes))
    if count > MAX_CANDIDATES:
        message = f"tune: expected at most {MAX_CANDIDATES} combinations, got {count:,}: give fewer values"
        checker.add(tune.place, message)
    return product(*axes) if axes and count <= MAX_CANDIDATES else ()


def _searched(tune: Node, checker: Checker, refused: Refused, partial: bool) -> Iterable[Chosen]:
    """The points of a search."""
    for key, what in _SEARCH.items():
        if key not in tune and not partial:
            checker.add(tune.place, f"tune: missing key '{key}', given neither here nor for the suite: {what}")
    ranges: list[Range | None] | None = []
    if "search" in tune and checker.mapping(tune["search"], "tune.search"):
        ranges = read_ranges(tune["search"], checker, refused)
    if "budget" not in tune:
        return ()
    budget = tune["budget"].plain()
    if type(budget) is not int or not 1 <= budget <= MAX_CANDIDATES:
        message = f"tune.budget: expected an integer from 1 to {MAX_CANDIDATES}, got {shown(budget)}"
        checker.add(tune["budget"].place, message)
        return ()
    return points(ranges, budget) if ranges and any(ranges) else ()


def overrides(chosen: Chosen) -> Node:
    """The mapping that gives each dotted key its value; keys that begin alike share a mapping."""
    root: dict[str, Node] = {}
    for key, value in chosen:
        *path, last = key.split(".")
        level = root
        for part in path:
            inner = level.get(part)
            level[part] = inner if inner is not None and inner.is_mapping else Node({}, value.key, value.key)
            level = level[part].value
        level[last] = value
    return Node(root, chosen[0][1].place, chosen[0][1].place)


def _brief(value: Node) -> str:
    """A value in a label: titles separate their parts by a slash."""
    plain = value.plain()
    if isinstance(plain, dict) and "name" in plain:
        rest = [f"{key} {shown(inner)}" for key, inner in plain.items() if key != "name"]
        return " ".join([str(plain["name"]), *rest]).replace("/", "|")
    return (plain if isinstance(plain, str) else shown(plain)).replace("/", "|")
