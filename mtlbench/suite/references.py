"""``references``: learners that stand beside the methods of a suite by themselves, as floor and strong baseline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from ..core.task import Outline
from ..core.wording import shown
from .clashes import without_repetitions
from .entries import Checker, Entry
from .longhand import named
from .suite import AUTO, References, Suite, Variant
from .tree import Node, Place, merge, tree
from .uses import uses

_BESIDE = ("constant", "boosting")  # learners that stand there unasked, each where its ``beside`` says so
_ALONE = {"gpus": 0, "workers": 1, "exclusive": "none"}  # nobody asks for their throughput

Make = Callable[[str, Place, Node], Variant]


def read_references(
    root: Node, defaults: Node, variants: Collection[Variant], make: Make, checker: Checker
) -> References:
    """What the suite says of its references, or the usual ones.

    variants  the baseline, whose problems are those of the suite, and the methods
    make      a variant of a label and its node
    """
    by_rule, nodes = _listed(root, checker)
    baseline, *methods = variants
    references: dict[str, Variant] = {}
    for node in nodes:
        entry: Entry[object] = checker.labelled("learner", node)
        if entry.config is None:
            continue
        if uses(entry, "optimizer"):
            checker.add(node.place, f"references: expected a learner without a network, got {entry.name}")
            continue
        same = [one for one in methods if one.label == entry.name and one.learner.identity == entry.identity]
        if same:  # the suite runs it as a method
            continue
        if entry.name in references or any(entry.name == one.label for one in variants):
            message = f"references: '{entry.name}' is the name of another reference or of a method, too: "
            message += "give one of them a label of its own" if not by_rule else "rename the method, or list references"
            checker.add(node.place, message)
            continue
        resources = {"resources": tree(_ALONE, node.place)}
        whole = merge(defaults, Node(resources, node.place, node.place)).without("problem")
        variant = make(entry.name, node.place, whole.plus(learner=node.without("label"), tune=tree({}, node.place)))
        references[entry.name] = without_repetitions(replace(variant, problems=baseline.problems), methods)
    return References(tuple(references.values()), by_rule)


def _listed(root: Node, checker: Checker) -> tuple[bool, tuple[Node, ...]]:
    """Whether the usual references are asked for, and the node of each learner."""
    node = root["references"] if "references" in root else tree(AUTO, root.place)
    if node.value == AUTO:
        usual = (tree({"name": name}, node.place) for name in _BESIDE if name in checker.tables["learner"])
        return True, tuple(usual)
    if node.is_list:
        return False, tuple(map(named, node.value))
    checker.add(node.place, f"references: expected {AUTO} or a list of learners, got {shown(node.plain())}")
    return True, ()


def standing(suite: Suite, problem: str, outline: Outline) -> Iterator[Variant]:
    """The references that run on a problem: those that can and, where nobody named them, whose rule says so."""
    for reference in suite.references.variants:
        asked = not suite.references.by_rule or reference.learner.checked.beside(outline)
        if asked and _has(reference, problem) and not _why_not(reference, outline):
            yield reference


def left_out(suite: Suite, outlines: Mapping[str, Outline]) -> Iterator[str]:
    """Which references that the suite names do not run on which problem, and why."""
    for reference in suite.references.variants if not suite.references.by_rule else ():
        for problem, outline in outlines.items():
            why = _why_not(reference, outline)
            if why and _has(reference, problem):
                yield f"{problem}: reference {reference.label} does not run here: {why}"


def _has(reference: Variant, problem: str) -> bool:
    return any(entry.name == problem for entry in reference.problems)


def _why_not(reference: Variant, outline: Outline) -> str:
    """Why a reference cannot run on a problem; empty if it can."""
    if outline.objectives:
        return "the tasks are formulas of a point, not of data"
    return next(iter(reference.learner.checked.check(outline)), "")
