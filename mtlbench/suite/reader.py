"""From the text of a suite file to a Suite, with every fault of the file on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..core.errors import Issue, SuiteError, did_you_mean
from ..core.wording import shown
from .draft import Draft
from .entries import Checker, Tables
from .header import SLUG
from .literature import KEY as LITERATURE
from .longhand import longhand
from .suite import Suite
from .tree import Node, merge, tree
from .yaml_reader import read_yaml


def read_suite(path: Path, *, tables: Tables, profile: str | None = None, seeds: int | None = None) -> Suite:
    """The suite in a file, under a profile or with another number of seeds.

    Raises SuiteError with every fault of the file.
    """
    suite, issues = read_with_issues(path, tables=tables, profile=profile, seeds=seeds)
    if issues:
        raise SuiteError(issues)
    return suite


def read_with_issues(
    path: Path, *, tables: Tables, profile: str | None = None, seeds: int | None = None
) -> tuple[Suite, list[Issue]]:
    """As much of the suite in a file as can be understood, and its issues.

    Raises SuiteError where nothing can be understood at all.
    """
    root, issues = read_yaml(path)
    checker = Checker(str(path), tables, issues)
    if not root.is_mapping:
        checker.add(root.place, f"expected keys such as problem, methods and seeds, got {shown(root.plain())}")
        raise SuiteError(issues)
    root = longhand(root)
    base = root.without("profiles")
    overrides = dict(_profiles(root, checker))
    common = base.without(LITERATURE)  # of the whole suite's set-up; a profile has another
    layers = {name: replace(merge(common, override), place=base.place) for name, override in overrides.items()}
    for layer in (base, *layers.values()):  # every profile is checked, chosen or not
        Draft(path, layer, checker).suite()
    if profile is not None and profile not in layers:
        place = root["profiles"].key if "profiles" in root else root.place
        checker.add(place, f"unknown profile '{profile}', {did_you_mean(profile, layers)}")
    chosen = layers.get(profile or "", base)
    if seeds is not None:
        chosen = chosen.plus(seeds=tree(seeds))
    suite = Draft(path, chosen, checker).suite()
    if profile in overrides and "suite" not in overrides[profile]:
        # A profile has its own results folder: a quick look never stands among the results of the whole suite.
        suite = replace(suite, name=f"{suite.name}-{profile}")
    return suite, issues


def _profiles(root: Node, checker: Checker) -> Iterator[tuple[str, Node]]:
    if "profiles" not in root or not checker.mapping(root["profiles"], "profiles"):
        return
    for name, override in root["profiles"].items():
        if not re.fullmatch(SLUG, name):
            checker.add(override.key, f"profiles: expected a name of letters, digits, '.', '_' and '-', got '{name}'")
        elif checker.mapping(override, f"profile '{name}'"):
            if "profiles" in override:
                checker.add(override["profiles"].key, f"profile '{name}': expected no profiles inside a profile")
            yield name, override.without("profiles")
