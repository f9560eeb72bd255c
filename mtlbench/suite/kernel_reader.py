"""The ``kernels`` of a suite file, checked."""

from __future__ import annotations

from dataclasses import replace

from ..core.protocols import KernelEntry
from ..core.settings import Timing
from ..core.wording import shown
from .entries import Checker, Entry
from .suite import Kernels
from .tree import Node

_KEYS = ("cases", *Timing.model_fields)


def read_kernels(node: Node, checker: Checker) -> Kernels | None:
    """The kernels that a node describes; None, with the faults noted, where nothing of them can be understood."""
    if not checker.mapping(node, "kernels"):
        return None
    checker.keys(node, _KEYS, "kernels")
    written = replace(node, value={key: child for key, child in node.items() if key in Timing.model_fields})
    timing = checker.section("kernels", written, Timing)
    if "cases" not in node:
        checker.add(node.place, "missing key 'cases' of kernels: a list of kernels, each a name or a mapping with one")
        return None
    listed = node["cases"]
    if not listed.is_list or not listed.value:
        checker.add(listed.place, f"kernels.cases: expected a list of one or more kernels, got {shown(listed.plain())}")
        return None
    cases = tuple(checker.labelled("kernel", case) for case in listed.value)
    _note_repetitions(cases, checker)
    return Kernels(cases, timing)


def _note_repetitions(cases: tuple[Entry[KernelEntry], ...], checker: Checker) -> None:
    seen: dict[str, Entry[KernelEntry]] = {}
    for case in (case for case in cases if case.config is not None):
        other = seen.setdefault(case.identity, case)
        if other is not case:
            line = other.node.place.line
            checker.add(case.node.place, f"kernels.cases: kernel '{case.name}' repeats line {line}: the same shape")
