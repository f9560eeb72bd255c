"""From the text of a suite file to a Suite, with every fault of the file on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from ..core.errors import Issue, SuiteError, did_you_mean
from ..core.parts import CHOICES, DEFAULTS, KEYS, MACHINERY
from ..core.registry import UnknownName
from ..core.settings import InitFrom, Resources, Train
from ..core.wording import shown
from .clashes import distinct_problems, note_repetitions
from .entries import Checker, Entry, Tables
from .explain import explain
from .kernel_reader import read_kernels
from .longhand import longhand, named
from .shorthand import merged_for
from .starts import check_starts
from .suite import BASELINE, PROBE, SLUG, UNSHARED, Header, Suite, Variant
from .tree import Node, Place, merge, tree
from .tuning import alternatives
from .uses import refuse_unused, refuse_useless, require, require_of_baseline, used_of, uses
from .yaml_reader import read_yaml

_BASELINE_KEYS = ("label", *(key for key in CHOICES if key != "problem"))


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
    """The suite in a file as far as it can be understood, and its issues.

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
    layers = {name: replace(merge(base, override), place=base.place) for name, override in overrides.items()}
    for layer in (base, *layers.values()):  # every profile is checked, chosen or not
        _Draft(path, layer, checker).suite()
    if profile is not None and profile not in layers:
        place = root["profiles"].key if "profiles" in root else root.place
        checker.add(place, f"unknown profile '{profile}', {did_you_mean(profile, layers)}")
    chosen = layers.get(profile or "", base)
    if seeds is not None:
        chosen = chosen.plus(seeds=tree(seeds))
    suite = _Draft(path, chosen, checker).suite()
    if profile in overrides and "suite" not in overrides[profile]:
        # A profile has its own results folder: a quick look never stands among the results of the whole suite.
        suite = replace(suite, name=f"{suite.name}-{profile}")
    return suite, issues


def _over(base: Node, override: Node) -> Node:
    """``override`` laid over the suite's defaults; its own tune and init_from replace the suite's, as lists do."""
    return merge(base, override).plus(**{key: override[key] for key in ("tune", "init_from") if key in override})


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


class _Draft:
    """One reading of a suite: the file as it is, or with a profile laid over it."""

    def __init__(self, path: Path, root: Node, checker: Checker) -> None:
        self.path = path
        self.root = root
        self.checker = checker
        written = {key: child for key, child in root.items() if key in CHOICES}
        self.defaults = merge(tree(DEFAULTS), replace(root, value=written))

    def suite(self) -> Suite:
        """The suite, with stand-ins for what is faulty."""
        self.checker.keys(self.root, KEYS, "the suite")
        header = self._header()
        self._variant("", self.root.place, self.defaults, partial=True)
        kernels = read_kernels(self.root["kernels"], self.checker) if "kernels" in self.root else None
        by_label = self._methods() if self._trains() else {}
        methods = tuple(by_label.values())
        problems = distinct_problems(methods, self.checker)
        baseline = replace(self._baseline(by_label), problems=problems)
        refuse_useless(self.root, (baseline, *methods), self.checker)
        check_starts((baseline, *methods), by_label, self.checker)
        note_repetitions(methods, baseline, self.checker)
        return Suite(
            self.path,
            header.suite,
            header.description,
            methods,
            baseline,
            header.seeds,
            kernels,
            self._affinity(methods),
        )

    def _trains(self) -> bool:
        """Whether the suite asks for training; one of kernels alone has none of its keys."""
        return "kernels" not in self.root or any(key in self.root for key in (*CHOICES, "methods", "single_task"))

    def _affinity(self, methods: Sequence[Variant]) -> tuple[Variant, Variant] | None:
        """The method whose tasks are compared, and the same with a learner that compares their gradients."""
        if "affinity" not in self.root:
            return None
        node = self.root["affinity"]
        label = node.plain()
        method = next((method for method in methods if method.label == label), None)
        if method is None:
            near = did_you_mean(label, (method.label for method in methods))
            self.checker.add(node.place, f"affinity: expected a method's label, got {shown(label)}: {near}")
        elif method.candidates or (method.weighting.config and method.weighting.config.candidates(("a", "b"))[1]):
            self.checker.add(node.place, f"affinity: expected a method without tune or cross-validation, got '{label}'")
        elif "optimizer" not in uses(method.learner):
            self.checker.add(node.place, f"affinity: expected a method that trains by gradients, got '{label}'")
        else:
            return method, replace(method, learner=self.checker.entry("learner", tree(PROBE, node.place)))
        return None

    def _header(self) -> Header:
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", self.path.stem).strip("-._")[:64] or "suite"
        node = replace(self.root, value={key: self.root[key] for key in Header.model_fields if key in self.root})
        try:
            return Header.from_plain({"suite": stem, **node.plain()})
        except ValidationError as error:
            for fault in explain(error, Header, node, "the suite", ""):
                self.checker.add(fault.place, fault.message)
            return Header(suite=stem)

    def _overrides(self) -> dict[str, Node]:
        """Each method's overrides, without what is not known."""
        if "methods" not in self.root:
            self.checker.add(self.root.place, f"missing key 'methods' of the suite; expected {KEYS['methods']}")
            return {}
        methods = self.root["methods"]
        if not self.checker.mapping(methods, "methods"):
            return {}
        if not methods.value:
            self.checker.add(methods.place, "methods: expected at least one method, got an empty mapping")
        return {
            self.checker.label(label, override.key, "methods"): self._known(override, CHOICES, f"method '{label}'")
            for label, override in methods.items()
            if self.checker.mapping(override, f"method '{label}'")
        }

    def _methods(self) -> dict[str, Variant]:
        """Each method by its label."""
        overrides = self._overrides()
        methods = {
            label: self._variant(label, override.key, _over(self.defaults, override))
            for label, override in overrides.items()
        }
        require(self.defaults, overrides, methods, self.checker)
        for label, method in methods.items():
            refuse_unused(f"method '{label}'", overrides[label], method, self.checker)
        return methods

    def _known(self, node: Node, keys: Sequence[str], owner: str) -> Node:
        fixed = [key for key, _ in node.items() if key in KEYS and key not in keys]
        for key in fixed:
            self.checker.add(node[key].key, f"key '{key}' belongs to the whole suite: {owner} cannot change it")
        self.checker.keys(node.without(*fixed), keys, owner)
        return replace(node, value={key: child for key, child in node.items() if key in keys})

    def _variant(self, label: str, place: Place, node: Node, partial: bool = False) -> Variant:
        """A method with its candidates, where it has any."""
        variant = self._single_variant(label, place, node, partial)
        tune = used_of(node["tune"], variant.learner)
        candidates = tuple(
            replace(self._single_variant(label, place, merge(node, longhand(override)), partial), choice=choice)
            for choice, override in alternatives(tune, self.checker)
        )
        return replace(variant, tune=tune.plain() if tune.is_mapping else {}, candidates=candidates)

    def _single_variant(self, label: str, place: Place, node: Node, partial: bool) -> Variant:
        learner = self.checker.entry("learner", node["learner"], partial)
        unused = {key: Entry(key, {}, None, node, used=False) for key in MACHINERY.difference(uses(learner))}

        def entry(key: str) -> Entry:
            if key in unused:
                return unused[key]
            return self.checker.entry(key, node[key], partial) if key in node else Entry(key, {}, None, node)

        problems: tuple[Entry, ...] = ()
        if "problem" in node:
            listed = node["problem"].value if node["problem"].is_list else (node["problem"],)
            problems = tuple(self.checker.labelled("problem", problem, partial) for problem in listed)
            if not listed:
                self.checker.add(node["problem"].place, "problem: expected at least one problem, got an empty list")
        return Variant(
            label=label,
            place=place,
            problems=problems,
            learner=learner,
            architecture=entry("architecture"),
            weighting=entry("weighting"),
            engines=(unused["engines"],) if "engines" in unused else self._engines(node["engines"]),
            optimizer=entry("optimizer"),
            schedule=entry("schedule"),
            penalty=entry("penalty"),
            train=unused.get("train") or self.checker.section("train", node["train"], Train, partial),
            init_from=unused.get("init_from")
            or self.checker.section("init_from", node["init_from"], InitFrom, partial),
            resources=self.checker.section("resources", node["resources"], Resources, partial),
        )

    def _engines(self, node: Node) -> tuple[Entry, ...]:
        if not node.is_list or not node.value:
            self.checker.add(node.place, f"engines: expected a list of one or more engines, got {shown(node.plain())}")
            return ()
        engines: dict[str, Entry] = {}
        for item in node.value:
            entry = self.checker.entry("engine", named(item))
            if entry.config is None:
                continue
            if entry.name in engines:
                self.checker.add(item.place, f"engines: '{entry.name}' is listed twice")
            engines[entry.name] = entry
        return tuple(engines.values())

    def _baseline(self, methods: Mapping[str, Variant]) -> Variant:
        """The single-task baseline: the suite's defaults on the first engine, one network a task."""
        override = Node({}, self.root.place, self.root.place)
        if "single_task" in self.root and self.checker.mapping(self.root["single_task"], "single_task"):
            override = self._known(self.root["single_task"], _BASELINE_KEYS, "single_task")
        label = BASELINE
        if "label" in override:
            label = self.checker.label(override["label"].plain(), override["label"].place, "single_task.label")
        node = self.defaults.plus(**{key: tree(DEFAULTS[key]) for key in ("weighting", "init_from")})
        if self.defaults["engines"].is_list:
            node = node.plus(engines=replace(self.defaults["engines"], value=self.defaults["engines"].value[:1]))
        if "architecture" in self.defaults:
            node = node.plus(architecture=self._single(self.defaults["architecture"]))
        variant = self._variant(label, override.key, _over(node, override.without("label")).without("problem"))
        if len(variant.engines) > 1:
            self.checker.add(override["engines"].place, "single_task.engines: expected one engine, got several")
        require_of_baseline(self.defaults, override, variant, methods, self.checker)
        refuse_unused("single_task", override, variant, self.checker)
        return variant

    def _single(self, architecture: Node) -> Node:
        """The baseline's architecture with the parameters of the suite's that it has too."""
        place, table = architecture.place, self.checker.tables["architecture"]
        single = Node({"name": tree(UNSHARED, place)}, place, place)
        if not architecture.is_mapping:
            return single
        name = architecture["name"].value if "name" in architecture else None
        try:
            if isinstance(name, str):
                architecture = merged_for(table.load(name), architecture)
            keys = table.load(UNSHARED).keys(architecture.plain())
        except UnknownName:  # noted where architecture and baseline are checked
            return single
        return merge(single, architecture.without("name", *(key for key, _ in architecture.items() if key not in keys)))
