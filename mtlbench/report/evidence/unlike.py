"""In what a suite trains a method differently from its single-task baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.parts import PARTS
from ...core.settings import WIDENED


def unlike_baseline(suite: Mapping[str, Any], method: str) -> tuple[str, ...]:
    """The ways in which the suite trains a method differently from the baseline: optimizer, schedule …"""
    ours = {**suite, **suite.get("methods", {}).get(method.removesuffix(f" ({WIDENED})"), {})}
    inherited = {key: value for key, value in suite.items() if key not in PARTS or PARTS[key].inherited}
    single = {**inherited, **suite.get("single_task", {})}
    same = {key: _comparable(key, ours.get(key)) == _comparable(key, single.get(key)) for key in PARTS}
    unlike = tuple(key for key, part in PARTS.items() if part.training and not same[key])
    # Where neither has an optimizer, the learner is the method, not a way of training it.
    return unlike if "optimizer" in ours or "optimizer" in single else ()


def _comparable(key: str, written: Any) -> Any:
    """What a suite says of a part; of a search, without the keys of what the baseline does not inherit, since it could
    not try them.
    """
    if key != "tune" or not written or "search" not in written:
        return written
    inherited = {part for part, row in PARTS.items() if row.inherited}
    ranges = {name: given for name, given in written["search"].items() if given and name.split(".")[0] in inherited}
    return {**written, "search": ranges}
