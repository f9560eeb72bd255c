"""Short ways of writing in a suite file, written out."""

from __future__ import annotations

from dataclasses import replace

from .tree import Node

_ENTRIES = ("learner", "architecture", "weighting", "optimizer", "schedule", "penalty")


def longhand(node: Node) -> Node:
    """The same suite, profile or method with every entry written as a mapping, and engines as a list."""
    if not node.is_mapping:
        return node
    changed: dict[str, Node] = {}
    for key, child in node.items():
        if key in _ENTRIES:
            changed[key] = named(child)
        elif key == "problem":
            changed[key] = replace(child, value=tuple(map(named, child.value))) if child.is_list else named(child)
        elif key == "init_from" and isinstance(child.value, str):
            changed[key] = replace(child, value={"method": child})
        elif key == "engines" and isinstance(child.value, str):
            changed[key] = replace(child, value=(child,))
        elif key == "single_task":
            changed[key] = longhand(child)
        elif key == "kernels" and "cases" in child and child["cases"].is_list:
            cases = child["cases"]
            changed[key] = child.plus(cases=replace(cases, value=tuple(map(named, cases.value))))
        elif key in ("methods", "profiles") and child.is_mapping:
            changed[key] = replace(child, value={label: longhand(inner) for label, inner in child.items()})
    return node.plus(**changed)


def named(node: Node) -> Node:
    """An entry as a mapping with a name."""
    return replace(node, value={"name": node}) if isinstance(node.value, str) else node
