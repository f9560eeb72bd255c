"""The keys of a suite file, and those of them that no method can change."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from ..core.judgement import Judgement
from ..core.parts import PARTS
from ..core.settings import MATCHED, WIDENED
from ..core.sources import RECORDED
from ..core.wording import shown

# The keys of a suite file that are no parts of a method, and what an editor or an error says about them.
_KEYS: dict[str, str] = {
    "suite": "name of the suite and of its results folder; the file's name unless given",
    "description": "what the suite asks, for the report",
    "methods": "a mapping from each method's label to what it changes of the suite",
    "affinity": "a method's label: its tasks are also trained in pairs, and their gradients are compared",
    "frontier": "how many points of the scalarization frontier to train, and what they change of the suite",
    "capacity": "matched: also the baseline with as many parameters as the joint network; widened: also every method "
    "with as many as the baseline; or a list of both",
    "seeds": "a number n of seeds (0 to n-1), or a list of seeds",
    "references": "learners that stand beside the methods as floor and strong baseline: auto, or a list of learners",
    "literature": "numbers that papers give for these problems, with their source; the report says which were met",
    "single_task": "what the single-task baseline changes of the suite, and its label; it runs by itself",
    "require": "what has to have the same version on every node as where the plan is made: of it, another version is "
    "refused instead of noted",
    "kernels": "cases of operations to time, fused against eager, and how; beside methods, or instead of them",
    **{key: str(field.description) for key, field in Judgement.model_fields.items()},
    "profiles": "named overrides of the whole suite, chosen with --profile",
}
SLUG = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
MAX_SEEDS = 100_000


def keys() -> dict[str, str]:
    """Every key of a suite file with its description."""
    return {**_KEYS, **{key: part.description for key, part in PARTS.items()}}


def _slug(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(SLUG, value):
        return value
    raise ValueError(f"expected up to 64 letters, digits, '.', '_' and '-', got {shown(value)}")


def _seeds(value: Any) -> tuple[int, ...]:
    if type(value) is int and 1 <= value <= MAX_SEEDS:
        return tuple(range(value))
    if isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value):
        distinct = tuple(dict.fromkeys(value))
        if 1 <= len(distinct) == len(value) <= MAX_SEEDS:
            return distinct
    raise ValueError(
        f"expected a number of seeds from 1 to {MAX_SEEDS}, or a list of distinct integers >= 0, got {shown(value)}"
    )


_SEEDS_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MAX_SEEDS},
        {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True},
    ]
}


def _capacity(value: object) -> object:
    """One value, or a list of them, each once."""
    listed = value if isinstance(value, list | tuple) else [value]
    if all(kind in (MATCHED, WIDENED) for kind in listed) and len(set(listed)) == len(listed):
        return tuple(listed)
    raise ValueError(f"expected {MATCHED}, {WIDENED} or a list of both, got {shown(value)}")


_CAPACITY_SCHEMA = {
    "anyOf": [
        {"enum": [MATCHED, WIDENED]},
        {"type": "array", "items": {"enum": [MATCHED, WIDENED]}, "uniqueItems": True},
    ]
}


_VERSIONED = ("python", "kernels", *RECORDED)
_REQUIRE_SCHEMA = {"type": "array", "items": {"enum": list(_VERSIONED)}, "uniqueItems": True}


def _require(value: object) -> object:
    if isinstance(value, list | tuple) and all(name in _VERSIONED for name in value):
        return tuple(value)
    raise ValueError(f"expected a list of {', '.join(_VERSIONED)}, got {shown(value)}")


class Header(Judgement):
    """The keys of a suite that no method can change."""

    suite: Annotated[str, BeforeValidator(_slug), WithJsonSchema({"type": "string", "pattern": f"^{SLUG}$"})] = "suite"
    description: str = ""
    require: Annotated[tuple[str, ...], BeforeValidator(_require), WithJsonSchema(_REQUIRE_SCHEMA)] = ()
    capacity: Annotated[tuple[str, ...], BeforeValidator(_capacity), WithJsonSchema(_CAPACITY_SCHEMA)] = ()
    seeds: Annotated[tuple[int, ...], BeforeValidator(_seeds), WithJsonSchema(_SEEDS_SCHEMA)] = Field(
        default=(0, 1, 2, 3, 4)
    )
