"""One reading of a suite: from checked nodes to its methods and its baseline."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..core.errors import Issue, did_you_mean
from ..core.judgement import Judgement
from ..core.parts import PARTS, REQUIRED, Part, defaults, single
from ..core.protocols import LearnerEntry, ProblemEntry
from ..core.registry import UnknownName
from ..core.wording import shown
from .clashes import distinct_problems, note_repetitions
from .entries import Checker, Entry
from .explain import explain
from .frontier import LABEL as FRONTIER
from .frontier import UNVARIED, Frontier, FrontierSettings, check_frontier, refuse_unvaried, tune_of_points
from .header import Header, keys
from .kernel_reader import read_kernels
from .literature import read_literature
from .longhand import longhand, named
from .references import read_references
from .search import Chosen, Refused
from .shorthand import merged_for
from .starts import check_starts
from .suite import BASELINE, PROBE, UNSHARED, References, Suite, Variant
from .tree import Node, Place, merge, tree
from .tuning import alternatives, joined, overrides, topmost
from .uses import refuse_unused, refuse_useless, require, require_of_baseline, used_of, uses


def _over(base: Node, override: Node) -> Node:
    """``override`` laid over the suite's defaults; parts that are not merged replace the suite's, as lists do."""
    replaced = {key: override[key] for key, part in PARTS.items() if not part.merged and key in override}
    if "tune" in replaced:
        replaced["tune"] = joined(base["tune"], override["tune"])
    return merge(base, override).plus(**replaced)


def _unused(key: str, node: Node) -> Entry[Any]:
    """The placeholder of a part that a learner does not use."""
    return Entry(key, {}, None, node, used=False)


class Draft:
    """One reading of a suite: the file as it is, or with a profile laid over it."""

    def __init__(self, path: Path, root: Node, checker: Checker) -> None:
        self.path = path
        self.root = root
        self.checker = checker
        written = {key: child for key, child in root.items() if key in PARTS}
        self.defaults = merge(tree(defaults()), replace(root, value=written))

    def suite(self) -> Suite:
        """The suite, with stand-ins for what is faulty."""
        self.checker.keys(self.root, keys(), "the suite")
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
        everyone = (baseline, *methods)
        references = read_references(self.root, self.defaults, everyone, self._variant, self.checker)
        return Suite(
            self.path,
            header.suite,
            header.description,
            methods,
            baseline,
            header.seeds,
            Judgement.from_plain({key: getattr(header, key) for key in Judgement.model_fields}),
            kernels=kernels,
            capacity=header.capacity,
            require=header.require,
            references=references if methods else References(),
            frontier=self._frontier(by_label),
            literature=read_literature(self.root, (*everyone, *references.variants), self.checker),
            affinity=self._affinity(methods),
        )

    def _trains(self) -> bool:
        """Whether the suite asks for training; one of kernels alone has none of its keys."""
        return "kernels" not in self.root or any(key in self.root for key in (*PARTS, "methods", "single_task"))

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
        elif method.chosen:
            self.checker.add(node.place, f"affinity: expected a method without tune or cross-validation, got '{label}'")
        elif not uses(method.learner, "optimizer"):
            self.checker.add(node.place, f"affinity: expected a method that trains by gradients, got '{label}'")
        else:
            probe = self.checker.entry("learner", tree(PROBE, node.place))
            return method, replace(method, parts={**method.parts, "learner": probe})
        return None

    def _frontier(self, methods: Mapping[str, Variant]) -> Frontier | None:
        """The suite's defaults, or a method, to be trained with weights over the simplex."""
        if FRONTIER not in self.root or not self.checker.mapping(self.root[FRONTIER], FRONTIER):
            return None
        written = self.root[FRONTIER]
        fields = FrontierSettings.model_fields
        own = {key: child for key, child in written.items() if key in fields}
        settings = self.checker.section(FRONTIER, replace(written, value=own), FrontierSettings).config
        refuse_unvaried(written, self.checker)
        varied = [key for key in PARTS if key not in UNVARIED]
        override = self._known(written.without(*UNVARIED), [*fields, *varied], FRONTIER).without(*own)
        base = self._method_of(settings, methods)
        if settings is None or base is None:
            return None
        equal = tree({"weighting": {"name": "equal"}}, written.key)
        whole = _over(_over(base, override).without("weighting"), equal)
        tune = tune_of_points(topmost(whole["tune"]))
        variant = self._variant(FRONTIER, written.key, whole.plus(tune=tune))
        fixed = self.checker.entry("weighting", tree({"name": "fixed", "weights": {"any": 1.0}}))
        check_frontier(variant, written, override, methods, self.checker)
        return Frontier(settings, variant, fixed.spec)

    def _method_of(self, settings: FrontierSettings | None, methods: Mapping[str, Variant]) -> Node | None:
        """What the frontier changes: the suite's defaults, or a method; None where that is faulty."""
        if settings is None or settings.method is None:
            return self.defaults
        if settings.method in methods:
            return _over(self.defaults, self._overrides()[settings.method])
        place = self.root[FRONTIER]["method"].place
        near = did_you_mean(settings.method, methods)
        self.checker.add(place, f"frontier.method: expected a method's label, got '{settings.method}': {near}")
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
            self.checker.add(self.root.place, f"missing key 'methods' of the suite; expected {keys()['methods']}")
            return {}
        methods = self.root["methods"]
        if not self.checker.mapping(methods, "methods"):
            return {}
        if not methods.value:
            self.checker.add(methods.place, "methods: expected at least one method, got an empty mapping")
        return {
            self.checker.label(label, override.key, "methods"): self._known(override, PARTS, f"method '{label}'")
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

    def _known(self, node: Node, allowed: Collection[str], owner: str) -> Node:
        fixed = [key for key, _ in node.items() if key in keys() and key not in allowed]
        for key in fixed:
            self.checker.add(node[key].key, f"key '{key}' belongs to the whole suite: {owner} cannot change it")
        self.checker.keys(node.without(*fixed), allowed, owner)
        return replace(node, value={key: child for key, child in node.items() if key in allowed})

    def _variant(self, label: str, place: Place, node: Node, partial: bool = False) -> Variant:
        """A method with its candidates, where it has any."""
        variant = self._single_variant(label, place, node, partial)
        tune = used_of(topmost(node["tune"]), variant.learner)
        candidates = tuple(
            replace(self._single_variant(label, place, merge(node, longhand(override)), partial), choice=choice)
            for choice, override in alternatives(tune, self.checker, self._refused(node, partial), partial)
        )
        return replace(variant, tune=tune.plain() if tune.is_mapping else {}, candidates=candidates)

    def _refused(self, node: Node, partial: bool) -> Refused:
        """What values would be faulty in a method, without noting it."""

        def refused(chosen: Chosen) -> list[Issue]:
            silent = Checker(self.checker.file, self.checker.tables)
            tried = merge(node, longhand(overrides(chosen)))
            Draft(self.path, self.root, silent)._single_variant("", node.place, tried, partial)
            return silent.issues

        return refused

    def _single_variant(self, label: str, place: Place, node: Node, partial: bool) -> Variant:
        learner = self.checker.entry("learner", node["learner"], partial)
        parts = {key: self._part(key, part, node, learner, partial) for key, part in single() if key != "learner"}
        weighting = parts["weighting"].config
        if weighting is not None and weighting.uniform:
            parts["heads"] = _unused("heads", node)  # all rules are the same, and make the same trials
        engines = self._engines(node["engines"]) if uses(learner, "engines") else (_unused("engines", node),)
        return Variant(label, place, self._problems(node, partial), engines, {"learner": learner, **parts})

    def _part(self, key: str, part: Part, node: Node, learner: Entry[LearnerEntry], partial: bool) -> Entry[Any]:
        """One part of a method: an entry of a table, or settings."""
        if not uses(learner, key):
            return _unused(key, node)
        if part.settings is not None:
            return self.checker.section(key, node[key], part.settings, partial)
        return self.checker.entry(key, node[key], partial) if key in node else Entry(key, {}, None, node)

    def _problems(self, node: Node, partial: bool) -> tuple[Entry[ProblemEntry], ...]:
        if "problem" not in node:
            return ()
        listed = node["problem"].value if node["problem"].is_list else (node["problem"],)
        if not listed:
            self.checker.add(node["problem"].place, "problem: expected at least one problem, got an empty list")
        return tuple(self.checker.labelled("problem", problem, partial) for problem in listed)

    def _engines(self, node: Node) -> tuple[Entry[Any], ...]:
        if not node.is_list or not node.value:
            self.checker.add(node.place, f"engines: expected a list of one or more engines, got {shown(node.plain())}")
            return ()
        engines: dict[str, Entry[Any]] = {}
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
            allowed = ["label", *(key for key in PARTS if key != "problem")]
            override = self._known(self.root["single_task"], allowed, "single_task")
        label = BASELINE
        if "label" in override:
            label = self.checker.label(override["label"].plain(), override["label"].place, "single_task.label")
        reset = {key: part.default for key, part in single() if not part.inherited and part.default is not REQUIRED}
        node = self.defaults.plus(**{key: tree(default) for key, default in reset.items()})
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
            shared = table.load(UNSHARED).keys(architecture.plain())
        except UnknownName:  # noted where architecture and baseline are checked
            return single
        return merge(
            single, architecture.without("name", *(key for key, _ in architecture.items() if key not in shared))
        )
