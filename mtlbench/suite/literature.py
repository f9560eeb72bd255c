"""``literature``: published numbers of a suite's problems, which the report holds its results against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..core.errors import did_you_mean
from ..core.literature import PublishedNumber
from ..core.wording import shown
from .entries import Checker, Entry
from .suite import Variant
from .tree import Node

KEY = "literature"


def read_literature(root: Node, standing: tuple[Variant, ...], checker: Checker) -> tuple[Entry[PublishedNumber], ...]:
    """The entries of a suite, without those that are faulty. What only the data can tell, the plan checks.

    standing  the baseline, the methods and the references, whose results the report shows
    """
    if KEY not in root:
        return ()
    if not root[KEY].is_list:
        checker.add(root[KEY].place, f"{KEY}: expected a list of published numbers, got {shown(root[KEY].plain())}")
        return ()
    by_label = {variant.label: variant for variant in standing}
    entries = []
    for entry in (checker.section(KEY, item, PublishedNumber) for item in root[KEY].value):
        faults = list(_faults(entry.config, by_label)) if entry.config else []
        for key, message in faults:
            checker.add(entry.node[key].place, f"{KEY}: {message}")
        if entry.config and not faults:
            entries.append(entry)
    return tuple(entries)


def _faults(number: PublishedNumber, standing: Mapping[str, Variant]) -> Iterator[tuple[str, str]]:
    """A key and a sentence for each name that the suite does not know."""
    problems = {problem.name for variant in standing.values() for problem in variant.problems}
    if number.problem not in problems:
        yield "problem", f"unknown problem '{number.problem}', {did_you_mean(number.problem, problems)}"
    if number.method not in standing:
        yield "method", f"unknown method '{number.method}', {did_you_mean(number.method, standing)}"
    elif number.problem in problems - {problem.name for problem in standing[number.method].problems}:
        message = f"method '{number.method}' does not run on problem '{number.problem}': name one that does"
        yield "method", message
