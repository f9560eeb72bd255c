"""Names that must mean one thing each: problems, methods and the baseline of one suite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..core.protocols import ProblemEntry
from .entries import Checker, Entry
from .suite import Variant


def distinct_problems(methods: Iterable[Variant], checker: Checker) -> tuple[Entry[ProblemEntry], ...]:
    """Every problem of any method once; two under one name, or one under two names, are faults."""
    by_name: dict[str, Entry[ProblemEntry]] = {}
    by_identity: dict[str, Entry[ProblemEntry]] = {}
    for method in methods:
        listed: set[str] = set()
        for problem in (entry for entry in method.problems if entry.config is not None):
            place = problem.node.place
            named = by_name.setdefault(problem.name, problem)
            same = by_identity.setdefault(problem.identity, problem)
            if named.identity != problem.identity:
                checker.add(place, f"two different problems are called '{problem.name}': give each a label of its own")
            elif same.name != problem.name:
                message = f"problem '{problem.name}' repeats problem '{same.name}' (line {same.node.place.line})"
                checker.add(place, message)
            elif problem.identity in listed:
                checker.add(place, f"problem '{problem.name}' is listed twice")
            listed.add(problem.identity)
    return tuple(by_name.values())


def note_repetitions(methods: Iterable[Variant], baseline: Variant, checker: Checker) -> None:
    """Note methods that would be the same trials as another method, or as the baseline, under a second name."""
    seen: dict[tuple[str, ...], Variant] = {}
    for method in methods:
        if method.label == baseline.label:
            message = f"method '{method.label}' has the name of the single-task baseline, which runs by itself: "
            checker.add(method.place, f"{message}rename it, or change the baseline under single_task")
            continue
        for signature in _signatures(method):
            other = seen.setdefault(signature, method)
            if other is not method:
                message = f"method '{method.label}' repeats method '{other.label}' (line {other.place.line})"
                checker.add(method.place, f"{message}: the same trials under a second name")
                break
        if set(_signatures(method)) & set(_signatures(baseline)):
            message = f"method '{method.label}' repeats the single-task baseline, which runs by itself: "
            checker.add(method.place, f"{message}remove it, or change the baseline under single_task")


def without_repetitions(reference: Variant, methods: Iterable[Variant]) -> Variant:
    """A reference without the problems that a method runs the same trials on; it has one engine."""
    taken = {signature for method in methods for signature in _signatures(method)}
    signatures = tuple(_signatures(reference))
    kept = (problem for problem, mine in zip(reference.problems, signatures, strict=False) if mine not in taken)
    return replace(reference, problems=tuple(kept))


def _signatures(variant: Variant) -> Iterator[tuple[str, ...]]:
    """What tells trials apart but for task and seed, once for each problem and engine; nothing for faulty variants."""
    if any(entry.config is None for entry in variant.entries if entry.used):
        return
    resources = variant.resources.checked
    numbers = (str(resources.cpus), str(resources.processes))
    machine = (variant.device, *numbers, json.dumps(variant.tune, sort_keys=True))
    common = (*machine, *(entry.identity for entry in variant.identity))
    for problem in variant.problems:
        for engine in variant.engines:
            yield (problem.identity, engine.name, *common)
