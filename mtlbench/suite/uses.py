"""Which parts of a method its learner uses: those are required, and the others are no part of its trials.

A learner's class says so in ``uses``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..core.parts import optional, required
from .entries import Checker, Entry
from .header import keys
from .suite import Variant
from .tree import Node
from .tuning import varied, without


def uses(learner: Entry[Any], key: str) -> bool:
    """Whether a learner uses a part; a faulty learner passes for one that uses all."""
    return key not in optional() or learner.config is None or bool(learner.config.uses(key))


def used_of(tune: Node, learner: Entry[Any]) -> Node:
    """``tune`` without the keys that a learner does not use."""
    if not tune.is_mapping:
        return tune
    return without(tune, *(key for key, _ in varied(tune).items() if not uses(learner, key.split(".")[0])))


def require(defaults: Node, overrides: Mapping[str, Node], methods: Mapping[str, Variant], checker: Checker) -> None:
    """Note what neither the suite nor a method gives, though the method's learner uses it."""
    for key in required():
        if key in defaults:
            continue
        needing = [label for label, method in methods.items() if uses(method.learner, key)]
        lacking = [label for label in needing if key not in overrides[label]]
        if len(lacking) == len(methods):  # also where there are no methods
            checker.add(defaults.place, f"missing key '{key}' of the suite; expected {keys()[key]}")
            continue
        for label in lacking:
            message = f"method '{label}': missing key '{key}', given neither here nor for the whole suite"
            checker.add(overrides[label].key, message)


def require_of_baseline(
    defaults: Node, override: Node, baseline: Variant, methods: Mapping[str, Variant], checker: Checker
) -> None:
    """Note what the single-task baseline lacks, unless the whole suite lacks it, which is reported already."""
    for key in baseline.parts:
        if key not in required() or key in defaults or key in override or not uses(baseline.learner, key):
            continue
        needing = [method for method in methods.values() if uses(method.learner, key)]
        if any(method[key].spec for method in needing) or (methods and not needing):
            message = f"the single-task baseline has no {key}: give one for the whole suite, or under single_task"
            checker.add(override.key, message if needing else f"{message}, or there a learner that uses none")


def refuse_unused(owner: str, written: Node, variant: Variant, checker: Checker) -> None:
    """Note what a method, or the baseline, changes though its learner does not use it."""
    tuned = varied(written["tune"]) if "tune" in written and written["tune"].is_mapping else Node({})
    for key, child in (*written.items(), *tuned.items()):
        part = key.split(".")[0]
        if not uses(variant.learner, part):
            message = f"{owner}: learner '{variant.learner.name}' uses no {part}: remove the key, or change the learner"
            checker.add(child.key, message)


def refuse_useless(written: Node, variants: Collection[Variant], checker: Checker) -> None:
    """Note what the whole suite gives though no learner in it uses it."""
    for key, child in written.items():
        if key in optional() and not any(uses(variant.learner, key) for variant in variants):
            checker.add(child.key, f"key '{key}': no learner of this suite uses it: remove the key")
