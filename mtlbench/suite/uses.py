"""Which keys of a suite a learner uses: those are required, and the others are no part of its trials.

A learner's class says what it uses in ``uses``; one that says nothing uses everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..core.parts import KEYS, MACHINERY, REQUIRED
from .entries import Checker, Entry
from .suite import Variant
from .tree import Node


def uses(learner: Entry) -> Collection[str]:
    """The keys of ``MACHINERY`` that a learner uses; a faulty one passes for one that uses all."""
    return getattr(learner.config, "uses", MACHINERY)


def used_of(tune: Node, learner: Entry) -> Node:
    """``tune`` without the keys that a learner does not use."""
    useless = MACHINERY.difference(uses(learner))
    return tune.without(*(key for key, _ in tune.items() if key.split(".")[0] in useless)) if tune.is_mapping else tune


def require(defaults: Node, overrides: Mapping[str, Node], methods: Mapping[str, Variant], checker: Checker) -> None:
    """Note what neither the suite nor a method gives, though the method's learner uses it."""
    for key in REQUIRED:
        if key in defaults:
            continue
        needing = [label for label, method in methods.items() if key not in MACHINERY or key in uses(method.learner)]
        lacking = [label for label in needing if key not in overrides[label]]
        if len(lacking) == len(methods):  # also where there are no methods
            checker.add(defaults.place, f"missing key '{key}' of the suite; expected {KEYS[key]}")
            continue
        for label in lacking:
            message = f"method '{label}': missing key '{key}', given neither here nor for the whole suite"
            checker.add(overrides[label].key, message)


def require_of_baseline(
    defaults: Node, override: Node, baseline: Variant, methods: Mapping[str, Variant], checker: Checker
) -> None:
    """Note what the single-task baseline lacks, where that is not said of the whole suite already."""
    for key in REQUIRED:
        if key in defaults or key in override or key not in uses(baseline.learner):
            continue
        needing = [method for method in methods.values() if key in uses(method.learner)]
        if any(getattr(method, key).spec for method in needing) or (methods and not needing):
            message = f"the single-task baseline has no {key}: give one for the whole suite, or under single_task"
            checker.add(override.key, message if needing else f"{message}, or there a learner that uses none")


def refuse_unused(owner: str, written: Node, variant: Variant, checker: Checker) -> None:
    """Note what a method, or the baseline, changes though its learner does not use it."""
    tuned = written["tune"] if "tune" in written and written["tune"].is_mapping else Node({})
    for key, child in (*written.items(), *tuned.items()):
        part = key.split(".")[0]
        if part in MACHINERY and part not in uses(variant.learner):
            message = f"{owner}: learner '{variant.learner.name}' uses no {part}: remove the key, or change the learner"
            checker.add(child.key, message)


def refuse_useless(written: Node, variants: Collection[Variant], checker: Checker) -> None:
    """Note what the whole suite gives though no learner in it uses it."""
    for key, child in written.items():
        if key in MACHINERY and not any(key in uses(variant.learner) for variant in variants):
            checker.add(child.key, f"key '{key}': no learner of this suite uses it: remove the key")
