"""YAML text to Nodes, safely: plain data only, YAML 1.2 scalars, bounded size, every fault with its place."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import Issue, SuiteError
from ..core.regular import opened_regular
from ..core.yaml_writer import SCALARS, TAG
from .tree import Node, Place, tree

MAX_BYTES = 1 << 20
MAX_NODES = 10_000  # after expansion of aliases
MAX_DEPTH = 40


class _TooLarge(yaml.MarkedYAMLError):
    """More nodes or deeper nesting than a suite can need."""


class _Composer(yaml.SafeLoader):
    """Composes text into a graph of nodes and stops early where the text is meant to exhaust the machine."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012, the name is PyYAML's

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        self.count += 1
        if self.depth > MAX_DEPTH or self.count > MAX_NODES:
            limit = f"{MAX_DEPTH} levels" if self.depth > MAX_DEPTH else f"{MAX_NODES:,} values"
            raise _TooLarge(problem=f"expected at most {limit}", problem_mark=self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _name, _pattern, _first in SCALARS:
    _Composer.add_implicit_resolver(TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


def read_yaml(path: Path) -> tuple[Node, list[Issue]]:
    """The root of a file and the faults that leave the rest readable (a key given twice).

    Raises SuiteError where nothing can be read: no such file, a folder, too large, not UTF-8, not YAML, empty.
    """
    text = _decode(path, _read(path))
    try:
        composer = _Composer(text)
        try:
            root = composer.get_single_node()
        finally:
            composer.dispose()
    except yaml.reader.ReaderError as error:
        message = f"not YAML: expected printable text, got the character U+{ord(text[error.position]):04X}"
        raise _fault(path, _place_in(text, error.position), message) from None
    except yaml.MarkedYAMLError as error:
        raise _fault(path, _place(error.problem_mark or error.context_mark), _why(error)) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # PyYAML lets escapes such as "\UFFFFFFFF" through
        raise _fault(path, Place(1, 1), f"not YAML: {error}") from None
    if root is None:
        hint = "the file is empty; expected keys such as problem, methods and seeds (`mtlbench init` writes a start)"
        raise _fault(path, Place(1, 1), hint)
    return _Converter(path).convert_root(root)


def _read(path: Path) -> bytes:
    try:
        with opened_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise _fault(path, Place(), "expected a suite file, got a folder") from None
    except FileNotFoundError:
        raise _fault(path, Place(), "no such file; `mtlbench init` writes a suite to start from") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _fault(path, Place(), f"cannot read the suite file: {reason}") from None
    if len(content) > MAX_BYTES:
        raise _fault(path, Place(), "expected a suite file of at most 1 MiB, got a larger file")
    return content


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        message = f"not text in UTF-8: got byte 0x{content[error.start]:02x}; save the file as UTF-8"
        raise _fault(path, _place_in(before, len(before)), message) from None


def _place_in(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - before.rfind("\n"))


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _why(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _TooLarge):
        return f"too large: {error.problem}"
    if "single document" in (error.context or ""):
        return "expected one suite in a file, got a second document after `---`"
    return f"not YAML: {', '.join(part for part in (error.context, error.problem) if part)}"


def _fault(path: Path, place: Place, message: str) -> SuiteError:
    return SuiteError([Issue(str(path), place.line, place.column, message)])


class _Converter:
    """Turns PyYAML's graph into Nodes, each once, however many aliases lead to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.issues: list[Issue] = []
        self.done: dict[int, Node | None] = {}  # None while a node is under way
        self.size: dict[int, int] = {}

    def convert_root(self, root: yaml.Node) -> tuple[Node, list[Issue]]:
        node = self._convert(root)
        if self.size[id(root)] > MAX_NODES:
            self._add(root, f"too large: expected at most {MAX_NODES:,} values once aliases are filled in")
            raise SuiteError(self.issues)
        return node, self.issues

    def _add(self, node: yaml.Node, message: str) -> None:
        self.issues.append(Issue(str(self.path), *_place(node.start_mark), message))

    def _convert(self, node: yaml.Node) -> Node:
        if id(node) in self.done:
            built = self.done[id(node)]
            if built is None:
                self._add(node, "an anchor that contains itself; expected plain values")
                return tree(None, _place(node.start_mark))
            return built
        self.done[id(node)] = None
        self.size[id(node)] = 1
        place = _place(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            converted = Node(self._mapping(node), place, place)
        elif isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq")
            converted = Node(tuple(self._child(node, item) for item in node.value), place, place)
        else:
            assert isinstance(node, yaml.ScalarNode)
            converted = Node(self._scalar(node), place, place)
        self.done[id(node)] = converted
        return converted

    def _child(self, parent: yaml.Node, node: yaml.Node) -> Node:
        child = self._convert(node)
        self.size[id(parent)] += self.size[id(node)]
        return child

    def _check_tag(self, node: yaml.Node, expected: str) -> None:
        if node.tag != TAG + expected:
            self._add(node, f"expected plain values without tags, got the tag '{_shown_tag(node.tag)}'")

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Node]:
        self._check_tag(node, "map")
        children: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._add(key, "expected a name as key, got a list or a mapping")
                continue
            child = self._child(node, value)
            if key.tag == TAG + "merge":
                merged = {**self._merged(value, child), **merged}
            elif key.value in children:
                first = children[key.value].key.line
                self._add(key, f"duplicate key '{key.value}', given first in line {first}")
            else:
                self._text(key)
                children[key.value] = replace(child, key=_place(key.start_mark))
        return {**merged, **children}

    def _merged(self, node: yaml.Node, child: Node) -> dict[str, Node]:
        """The keys that ``<<`` brings in; the first mapping of a list wins."""
        result: dict[str, Node] = {}
        for source in child.value if child.is_list else (child,):
            if not source.is_mapping:
                self._add(node, "expected a mapping, or a list of mappings, after `<<`")
                return {}
            result = {**source.value, **result}
        return result

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(TAG)
        if kind == "null":
            return None
        if kind == "bool" and node.value.lower() in ("true", "false"):
            return node.value.lower() == "true"
        if kind in ("int", "float"):
            return self._number(node, kind)
        if kind not in ("str", "merge"):
            self._check_tag(node, "str")
        return self._text(node)

    def _number(self, node: yaml.ScalarNode, kind: str) -> int | float | str:
        try:
            if kind == "int":
                return self._integer(node)
            number = float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self._add(node, f"expected a number, got '{node.value[:40]}'")
            return 0
        if not math.isfinite(number):
            self._add(node, f"expected a finite number, got {node.value[:40]}")
            return 0.0
        return number

    def _integer(self, node: yaml.ScalarNode) -> int:
        text = node.value
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        number = int(text[:80] if base == 10 else text[2:82], base)
        if len(text) > 80 or abs(number) >= 2**63:
            self._add(node, f"expected an integer of at most 63 bits, got {text[:40]}{'…' * (len(text) > 40)}")
            return 0
        return number

    def _text(self, node: yaml.ScalarNode) -> str:
        try:
            node.value.encode()
        except UnicodeEncodeError:
            self._add(node, "expected text, got half of a surrogate pair (\\uD800 to \\uDFFF)")
            return ""
        text: str = node.value
        return text


def _shown_tag(tag: str) -> str:
    return tag.replace(TAG, "!!") if tag.startswith(TAG) else tag
