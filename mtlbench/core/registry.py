"""Tables of names: each room keeps one, and third parties add to it by entry point or ``module:attribute``."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from .config import Config
from .errors import MtlbenchError, did_you_mean
from .wording import first_sentence

_beside: list[str] = []  # the folder that was looked in last
_loaded_before: set[str] = set()  # modules that were there before it was looked in


def look_beside(folder: Path, afresh: bool = False) -> None:
    """Let ``module:attribute`` names find modules in a folder, after everything that is installed.

    One folder at a time: the modules of the last one are forgotten, so that two suites may each have a ``mine.py``.
    ``afresh`` forgets those of the same folder too, so that a long-lived process reads them as they are now.
    """
    if _beside == [str(folder)] and not afresh:
        return
    for old in _beside:
        with contextlib.suppress(ValueError):
            sys.path.remove(old)
    folders = [*map(Path, _beside), folder]
    for name in [name for name in sys.modules if any(_is_beside(name, place) for place in folders)]:
        del sys.modules[name]
    importlib.invalidate_caches()
    if _beside != [str(folder)]:
        _loaded_before.clear()
        _loaded_before.update(sys.modules)
    _beside[:] = [str(folder)]
    sys.path.append(str(folder))


def _is_beside(name: str, folder: Path) -> bool:
    """Whether a module is a file of the folder, or of a package there that was found by looking beside."""
    top = name.partition(".")[0]
    module = sys.modules.get(top)
    homes: list[str] = [*getattr(module, "__path__", ())]
    if homes:  # a package, perhaps mtlbench itself
        return _beside == [str(folder)] and top not in _loaded_before and Path(homes[0]).parent == folder
    source = Path(getattr(module, "__file__", None) or os.devnull)
    return source.parent == folder and top != "__main__"


def third_party(name: str) -> tuple[str, ...]:
    """The ``module:attribute`` of every entry of this name that a plug-in registers, in whatever room."""
    return tuple(entry.value for entry in _plugged_in() if entry.name == name)


@cache
def _plugged_in() -> tuple[EntryPoint, ...]:
    points = entry_points()
    groups = [group for group in points.groups if group.startswith("mtlbench.")]
    return tuple(entry for group in groups for entry in points.select(group=group))


def _mapping(spec: Any) -> Any:
    return {"name": spec} if isinstance(spec, str) else spec


# A parameter that is an entry of some table itself, written as its name or as a mapping with its name.
Inner = Annotated[dict[str, Any], BeforeValidator(_mapping, json_schema_input_type=str | dict[str, Any])]


class UnknownName(MtlbenchError):
    """A name that no table row, entry point or ``module:attribute`` carries."""


class Registry(Mapping[str, str]):
    """A table ``name -> "module:Class"``; a row's module is imported only when the row is used.

    Rows come from the room's own table and from the entry-point group ``mtlbench.<room>``. A name of the form
    ``package.module:attribute`` needs no row at all.
    """

    def __init__(self, room: str, rows: Mapping[str, str]) -> None:
        self.room = room
        self._own = dict(rows)

    @property
    def noun(self) -> str:
        """The singular of the room's name, for messages."""
        return {"penalties": "penalty"}.get(self.room, self.room.removesuffix("s"))

    @cached_property
    def _rows(self) -> dict[str, str]:
        third_party = {entry.name: entry.value for entry in entry_points(group=f"mtlbench.{self.room}")}
        return {**third_party, **self._own}

    def __getitem__(self, name: str) -> str:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def load(self, name: str) -> type[Config]:
        """The class behind a name. Raises UnknownName with the nearest known name."""
        # Own rows first: the scan of all installed packages for entry points is slow.
        target = self._own.get(name) or self._rows.get(name, name if ":" in name else "")
        if not target:
            raise UnknownName(f"unknown {self.noun} '{name}', {did_you_mean(name, self)}")
        module, _, attribute = target.partition(":")
        try:
            entry = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # the module is the user's own: importing it may raise anything
            raise UnknownName(
                f"{self.noun} '{name}': cannot import '{target}' ({error}); expected package.module:attribute, "
                "in a package that is installed or a file beside the suite"
            ) from error
        if not (isinstance(entry, type) and issubclass(entry, Config)):
            raise UnknownName(f"{self.noun} '{name}': expected a subclass of mtlbench's Config, got {entry!r}")
        return entry

    def name_of(self, entry: type[Config]) -> str:
        """The name that a class is written by; ``module:Class`` where no row has it."""
        target = f"{entry.__module__}:{entry.__qualname__}"
        return next((name for name, row in self._rows.items() if row == target), target)

    def build(self, spec: Mapping[str, Any]) -> Any:
        """The object that ``{"name": …, **parameters}`` describes. Raises UnknownName or pydantic.ValidationError."""
        parameters = {key: value for key, value in spec.items() if key != "name"}
        return self.load(spec["name"]).from_plain(parameters)

    def inner(self, spec: Mapping[str, Any], where: str) -> Any:
        """What an ``Inner`` parameter describes.

        Raises ValueError, whose sentence begins with ``where``: validators pass it on as their own.
        """
        if not isinstance(spec.get("name"), str):
            raise ValueError(f"{where}: expected the name of a {self.noun}, or a mapping with its name")
        try:
            return self.build(spec)
        except UnknownName as error:
            raise ValueError(f"{where}: {error}") from error
        except ValidationError as error:
            raise ValueError(f"{where}: {first_sentence(error)}") from error
