"""pydantic's errors as sentences: what was expected, what was got, and the path of the key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ..core.errors import did_you_mean
from ..core.wording import dotted, quoted, shown
from .tree import Node, Place

Path = tuple[str | int, ...]
_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "nothing",
    "greater_than": "a number > {gt:g}",
    "greater_than_equal": "a number >= {ge:g}",
    "less_than": "a number < {lt:g}",
    "less_than_equal": "a number <= {le:g}",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
}


@dataclass(frozen=True)
class Fault:
    """One fault of a mapping: a sentence, and where to look. ``missing`` says that a key was not given."""

    place: Place
    message: str
    missing: bool = False


def explain(error: ValidationError, model: type[BaseModel], node: Node, owner: str, key: str) -> list[Fault]:
    """The faults of ``node``, which does not fit ``model``.

    owner  what the mapping is called in sentences: "optimizer 'adam'"
    key    its key path in the file: "optimizer"
    """
    faults: list[Fault] = []
    unions: dict[Path, list[tuple[Path, Any]]] = defaultdict(list)
    for item in error.errors(include_url=False):
        path, reached = node.follow(item["loc"])
        where = _where(key, path) if path else owner
        if item["type"] == "extra_forbidden":
            allowed = item.get("ctx", {}).get("keys") or _keys(model, path[:-1])
            hint = did_you_mean(path[-1], allowed) if allowed else "it has no keys"
            holder = owner if len(path) == 1 else _where(key, path[:-1])
            faults.append(Fault(reached.key, f"unknown key '{path[-1]}' of {holder}, {hint}"))
        elif item["type"] == "missing":
            name = item["loc"][-1]
            what = f"item {name + 1}" if isinstance(name, int) else f"key '{name}'"
            about = _description(model, path, str(name))
            faults.append(Fault(reached.place, f"missing {what} of {where}{about}", True))
        elif item["type"] in ("value_error", "assertion_error"):
            faults.append(_authored(item, reached, where))
        else:
            unions[_union(node, item["loc"])].append((path, item))
    return faults + [fault for items in unions.values() for fault in _typed(items, node, key)]


def sentence_place(node: Node, sentence: str) -> Place:
    """Where a sentence about a whole entry points: at the key that it begins with, or at the entry."""
    first = sentence.split(maxsplit=1)[0].strip(":,'`") if sentence.strip() else ""
    return node[first].place if first in node else node.place


def _where(key: str, path: Path) -> str:
    return dotted((key, *path) if key else path)


def _authored(item: Any, reached: Node, where: str) -> Fault:
    """A sentence that the author of a validator wrote."""
    sentence = str(item["ctx"]["error"])
    return Fault(sentence_place(reached, sentence), f"{where}: {sentence}")


def _union(node: Node, loc: Path) -> Path:
    """The part of a path that leads to a union's value: where its parts stop naming what was written."""
    for length in range(1, len(loc) + 1):
        if len(node.follow(loc[:length])[0]) < length:
            return loc[: length - 1]
    return loc


def _typed(items: list[tuple[Path, Any]], node: Node, key: str) -> Iterator[Fault]:
    """Faults of type and range; of a union, those of the members that matched furthest."""
    deepest = max(len(path) for path, _ in items)
    wanted: dict[Path, list[str]] = defaultdict(list)
    for path, item in items:
        if len(path) == deepest:
            wanted[path].append(_expected(item))
    for path, choices in wanted.items():
        reached = node.follow(path)[1]
        value = reached.plain()
        options = _options(items, path)
        near = did_you_mean(value, options) if isinstance(value, str) and options else ""
        hint = f", {near}" if near.startswith("did") else _other_way(set(choices), value)
        expected = " or ".join(dict.fromkeys(choices))
        yield Fault(reached.place, f"{_where(key, path)}: expected {expected}, got {shown(value)}{hint}")


def _other_way(wanted: set[str], value: Any) -> str:
    """How a value is to be written that YAML did not read as the text or the list that was meant."""
    if "text" in wanted and isinstance(value, (int, float)):
        return f"; {quoted(value)}"
    return f"; write [{value}]" if wanted == {"a list"} and isinstance(value, (int, float, str)) else ""


def _options(items: list[tuple[Path, Any]], path: Path) -> list[str]:
    """The words that a literal allows."""
    texts = [item["ctx"]["expected"] for p, item in items if p == path and item["type"] == "literal_error"]
    return [word.strip("'") for text in texts for part in text.split(" or ") for word in part.split(", ")]


def _expected(item: Any) -> str:
    template = _EXPECTED.get(item["type"])
    if template:
        return template.format(**item.get("ctx", {}))
    message: str = item["msg"].removeprefix("Input should be ")
    return message


def _named(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models of which an annotation speaks."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_of(part)


def _holders(model: type[BaseModel], path: Path) -> Iterable[type[BaseModel]]:
    """The models whose keys may stand at the end of a path."""
    models = [model]
    for part in path:
        if isinstance(part, str):
            fields = [_named(holder)[part] for holder in models if part in _named(holder)]
            models = [inner for field in fields for inner in models_of(field.annotation)]
    return models


def _keys(model: type[BaseModel], path: Path) -> list[str]:
    return [name for holder in _holders(model, path) for name in _named(holder)]


def _description(model: type[BaseModel], path: Path, name: str) -> str:
    for holder in _holders(model, path):
        field = _named(holder).get(name)
        if field is not None and field.description:
            return f": {field.description}"
    return ""
