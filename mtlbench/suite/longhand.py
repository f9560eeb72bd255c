"""Short ways of writing in a suite file, written out."""

from __future__ import annotations

from dataclasses import replace

from ..core.parts import PARTS, Part
from .tree import Node


def longhand(node: Node) -> Node:
    """The same suite, profile or method with every entry written as a mapping, and engines as a list."""
    if not node.is_mapping:
        return node
    changed: dict[str, Node] = {}
    for key, child in node.items():
        if key in PARTS:
            changed[key] = _part(PARTS[key], child)
        elif key in ("single_task", "frontier"):
            changed[key] = longhand(child)
        elif key == "kernels" and "cases" in child and child["cases"].is_list:
            cases = child["cases"]
            changed[key] = child.plus(cases=replace(cases, value=tuple(map(named, cases.value))))
        elif key in ("methods", "profiles") and child.is_mapping:
            changed[key] = replace(child, value={label: longhand(inner) for label, inner in child.items()})
    return node.plus(**changed)


def _part(part: Part, node: Node) -> Node:
    if not part.many:
        return named(node, part.shorthand) if part.single else node
    if node.is_list:
        return replace(node, value=tuple(map(named, node.value)))
    always_listed = isinstance(part.default, list) and isinstance(node.value, str)
    return replace(node, value=(named(node),)) if always_listed else named(node)


def named(node: Node, key: str = "name") -> Node:
    """An entry as a mapping with a name, or with whatever key a bare name stands for."""
    return replace(node, value={key: node}) if isinstance(node.value, str) else node
