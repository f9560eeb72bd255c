"""A YAML value that remembers where it was written, and the deep merge of two such values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Line and column, counted from 1; 0 where a value was not written but filled in."""

    line: int = 0
    column: int = 0


NOWHERE = Place()


@dataclass(frozen=True)
class Node:
    """``value`` is a string, number, boolean or None, a tuple of Nodes, or a dict of Nodes; ``key`` is where the key
    that leads here is written (the value's own place for items of a list).
    """

    value: Any
    place: Place = NOWHERE
    key: Place = NOWHERE
    layers: tuple[Node, ...] = field(default=(), compare=False)  # the mappings that were merged into it, lowest first

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether it has items."""
        return isinstance(self.value, tuple)

    def __contains__(self, key: str) -> bool:
        return self.is_mapping and key in self.value

    def __getitem__(self, key: str) -> Node:
        child: Node = self.value[key]
        return child

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and their values."""
        yield from self.value.items()

    def plain(self) -> Any:
        """Python values without places."""
        if self.is_mapping:
            return {key: child.plain() for key, child in self.value.items()}
        return [child.plain() for child in self.value] if self.is_list else self.value

    def follow(self, path: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], Node]:
        """The node at the end of ``path`` and the part of the path that exists; parts that do not exist are skipped
        (pydantic puts the names of a union's members into its paths).
        """
        node, walked = self, []
        for part in path:
            if part in node.value if node.is_mapping else node.is_list and part in range(len(node.value)):
                node = node.value[part]
                walked.append(part)
        return tuple(walked), node

    def without(self, *keys: str) -> Node:
        """The same mapping without some keys."""
        rest = {key: child for key, child in self.value.items() if key not in keys}
        return replace(self, value=rest, layers=tuple(layer.without(*keys) for layer in self.layers))

    def plus(self, **children: Node) -> Node:
        """The same mapping with some keys set."""
        return replace(self, value={**self.value, **children}, layers=())


def tree(value: Any, place: Place = NOWHERE) -> Node:
    """Plain Python values as a Node that was written at one place, or nowhere."""
    if isinstance(value, dict):
        return Node({key: tree(child, place) for key, child in value.items()}, place, place)
    if isinstance(value, list | tuple):
        return Node(tuple(tree(child, place) for child in value), place, place)
    return Node(value, place, place)


def merge(base: Node, override: Node) -> Node:
    """``override`` laid over ``base``: mappings merge key by key, anything else is replaced.

    An entry (a mapping with a ``name``) of another name is replaced as a whole, since its parameters are others.
    """
    if not (base.is_mapping and override.is_mapping) or _is_another_entry(base, override):
        return override
    children = dict(base.value)
    for key, child in override.items():
        children[key] = merge(children[key], child) if key in children else child
    return replace(override, value=children, layers=(*(base.layers or (base,)), *(override.layers or (override,))))


def _is_another_entry(base: Node, override: Node) -> bool:
    if "name" not in base or "name" not in override:
        return False
    names = (base["name"].value, override["name"].value)
    return all(isinstance(name, str) for name in names) and names[0] != names[1]
