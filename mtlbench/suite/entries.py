"""Nodes of a suite file to checked entries: a name of a table with its parameters, or a section of settings."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from ..core.config import Config
from ..core.errors import Issue, did_you_mean
from ..core.registry import Registry, UnknownName
from ..core.trial import Spec
from ..core.wording import shown
from .explain import explain
from .shorthand import merged_for
from .tree import Node, Place

Tables = Mapping[str, Registry]  # by the key of the suite file: problem, architecture, weighting, learner …
Kind = TypeVar("Kind", covariant=True)  # what the room that the entry is of promises about it
Section = TypeVar("Section", bound=Config)


@dataclass(frozen=True)
class Entry(Generic[Kind]):
    """One checked entry. ``spec`` is complete: its name and every parameter, defaults filled in.

    ``config`` is None where the entry is faulty (a suite that is read without issues has no such entry), and where the
    learner does not use it.
    """

    key: str
    spec: Spec
    config: Kind | None
    node: Node
    label: str = ""  # what tables call it, where its name alone would not do
    used: bool = True  # by the learner beside it

    @property
    def name(self) -> str:
        """What tables and messages call it."""
        return self.label or str(self.spec.get("name", ""))

    @property
    def checked(self) -> Kind:
        """Its ``config``, of a suite that was read without issues."""
        assert self.config is not None, f"{self.key} is faulty or unused"
        return self.config

    @property
    def identity(self) -> str:
        """Equal for entries that mean the same."""
        return json.dumps(self.spec, sort_keys=True)


@dataclass
class Checker:
    """Checks nodes against models and tables, and collects every fault with its place."""

    file: str
    tables: Tables
    issues: list[Issue] = field(default_factory=list)

    def add(self, place: Place, message: str) -> None:
        """Note a fault."""
        self.issues.append(Issue(self.file, *place, message))

    def keys(self, node: Node, allowed: Collection[str], owner: str) -> None:
        """Note the keys that are not allowed here."""
        for key, child in node.items():
            if key not in allowed:
                self.add(child.key, f"unknown key '{key}' of {owner}, {did_you_mean(key, allowed)}")

    def mapping(self, node: Node, what: str) -> bool:
        """Whether the node is a mapping; notes it otherwise."""
        if not node.is_mapping:
            self.add(node.place, f"{what}: expected a mapping, got {shown(node.plain())}")
        return node.is_mapping

    def entry(self, key: str, node: Node, partial: bool = False) -> Entry[Any]:
        """The entry that a node describes. ``partial`` forgives missing keys, which an override may still bring."""
        faulty: Entry[Any] = Entry(key, {}, None, node)
        if not node.is_mapping:
            self.add(node.place, f"{key}: expected a name, or a mapping with a name, got {shown(node.plain())}")
            return faulty
        if "name" not in node:
            if not partial:
                self.add(node.place, f"{key}: missing key 'name', {did_you_mean('', self.tables[key])}")
            return faulty
        name = node["name"]
        if not isinstance(name.value, str):
            self.add(name.place, f"{key}.name: expected a name, got {shown(name.plain())}")
            return faulty
        try:
            model = self.tables[key].load(name.value)
        except UnknownName as error:
            self.add(name.place, str(error))
            return faulty
        owner = f"{self.tables[key].noun} '{name.value}'"
        config = self._model(model, node.without("name"), owner, key, partial)
        if config is None:
            return faulty
        spec = {"name": name.value, **config.model_dump(mode="json", by_alias=True)}
        return Entry(key, spec, config, node)

    def section(self, key: str, node: Node, model: type[Section], partial: bool = False) -> Entry[Section]:
        """The settings that a node describes, as an entry without a name."""
        if not self.mapping(node, key):
            return Entry(key, {}, None, node)
        config = self._model(model, node, key, key, partial)
        spec = config.model_dump(mode="json", by_alias=True) if config else {}
        return Entry(key, spec, config, node)

    def labelled(self, key: str, node: Node, partial: bool = False) -> Entry[Any]:
        """An entry that may carry a ``label`` besides its parameters."""
        if "label" not in node:
            return self.entry(key, node, partial)
        label = self.label(node["label"].plain(), node["label"].place, f"{key}.label")
        return replace(self.entry(key, node.without("label"), partial), label=label)

    def label(self, value: Any, place: Place, what: str) -> str:
        """A name of the user's own, fit for tables and trial titles (which separate parts by a slash)."""
        if isinstance(value, str) and re.fullmatch(r"[^/]{1,80}", value) and value.isprintable() and value.strip():
            return value
        self.add(place, f"{what}: expected 1 to 80 printable characters without '/', got {shown(value)}")
        return "?"

    def _model(self, model: type[Section], node: Node, owner: str, key: str, partial: bool) -> Section | None:
        node = merged_for(model, node)
        try:
            return model.from_plain(node.plain())
        except ValidationError as error:
            for fault in explain(error, model, node, owner, key):
                if not (partial and fault.missing):
                    self.add(fault.place, fault.message)
        return None
