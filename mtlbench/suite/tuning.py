"""``tune``: the keys of which a suite gives several values, one of which each seed takes by its validation split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import prod

from ..core.errors import did_you_mean
from ..core.parts import tunable
from ..core.settings import MAX_CANDIDATES
from ..core.wording import shown
from .entries import Checker
from .tree import Node


def alternatives(tune: Node, checker: Checker) -> Iterator[tuple[str, Node]]:
    """(label, overrides) of every combination of values, in the order of the file; nothing where tune is faulty.

    ``{optimizer.lr: [0.1, 0.01]}`` gives ("optimizer.lr=0.1", {optimizer: {lr: 0.1}}) and the same for 0.01.
    """
    if not checker.mapping(tune, "tune"):
        return
    keys = [key for key, _ in tune.items()]
    for key, node in tune.items():
        if outer := [other for other in keys if key.startswith(f"{other}.")]:
            checker.add(node.key, f"tune: '{outer[0]}' and '{key}' set the same: write whole values under '{outer[0]}'")
            return
    axes = [[(key, value) for value in _values(key, node, checker)] for key, node in tune.items()]
    count = prod(map(len, axes))
    if count > MAX_CANDIDATES:
        message = f"tune: expected at most {MAX_CANDIDATES} combinations, got {count:,}: give fewer values"
        checker.add(tune.place, message)
    elif axes:
        for chosen in product(*axes):
            label = ", ".join(f"{key}={_brief(value)}" for key, value in chosen)
            yield label, _overrides(chosen)


def _values(key: str, node: Node, checker: Checker) -> tuple[Node, ...]:
    """The values of one key, none where it is faulty."""
    part = key.split(".", 1)[0]
    if part not in tunable():
        checker.add(node.key, f"tune: cannot vary '{key}': {did_you_mean(part, tunable())}")
        return ()
    if not node.is_list or not node.value:
        checker.add(node.place, f"tune.{key}: expected a list of one or more values, got {shown(node.plain())}")
        return ()
    plain = [value.plain() for value in node.value]
    if any(value in plain[:i] for i, value in enumerate(plain)):
        checker.add(node.place, f"tune.{key}: expected distinct values, got {shown(plain)}")
        return ()
    return tuple(replace(value, key=node.key) for value in node.value)  # a wrong key is reported only once


def _overrides(chosen: tuple[tuple[str, Node], ...]) -> Node:
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
