"""Which code a result comes from: the files behind some modules and behind all that these import, with their digests.

Read from the source itself, without importing it:

- a module that is installed with a version counts by the name and version of its distribution, and is not followed
- any other counts by its content, and so does what it imports: the user's own modules, editable installs, and mtlbench
- Python and the packages whose versions every result records (RECORDED) belong to the environment of a result
- what decides which trials there are, carries them, or shows results (ASIDE) is no part of what they compute
- a table of mtlbench is followed to the rows that a trial names; its other rows are nothing to the trial

What code finds in other ways is not seen: a name that is put together while it runs, or a file that it opens.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, PathDistribution, version
from pathlib import Path

from .digests import Stamp, file_digest, stamp

Manifest = Mapping[str, str]  # {"mine.py": SHA-256, "some-package": version}
OURS = "mtlbench"
KERNELS = "mtlbench/_C.so"  # what manifests call the compiled kernels, whatever the platform calls them
RECORDED = ("mtlbench", "torch", "torchjd", "numpy", "scikit-learn", "ray")
ASIDE = tuple(
    f"{OURS}.{name}"
    for name in (
        *("cli", "screen", "report", "runner", "plan", "suite", "store", "_C", "measure.environment"),
        *("core.errors", "core.wording", "core.registry"),
    )
)
_ROW = re.compile(r"mtlbench(\.\w+)+:\w+")
_parsed: dict[Path, tuple[Stamp, _Uses]] = {}


@dataclass(frozen=True)
class _Uses:
    """What a file refers to: the modules that it may import, and the rows of its tables."""

    imports: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Distribution:
    name: str
    version: str


def manifest_digest(manifest: Manifest) -> str:
    """16 hexadecimal digits that stand for a manifest."""
    text = json.dumps(dict(manifest), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def manifest_of(modules: Iterable[str], words: Set[str] = frozenset()) -> dict[str, str]:
    """The manifest of the code behind some modules.

    modules  dotted names; those that do not exist are left out
    words    names that may be rows of tables
    """
    found: dict[str, str] = {}
    todo, seen = list(modules), set[str]()
    while todo:
        module = todo.pop()
        if module in seen or any(module == aside or module.startswith(f"{aside}.") for aside in ASIDE):
            continue
        seen.add(module)
        place = _place(module)
        if isinstance(place, _Distribution):
            found[place.name] = place.version
        elif place is not None:
            if not (_is_ours(module) and place.name == "__init__.py"):  # tables and public names compute nothing
                found[_called(module, place)] = file_digest(place)
            uses = _uses(module, place)
            todo += [*uses.imports, *(target for name, target in uses.rows if name in words)]
    return found


def kernels_digest() -> str:
    """SHA-256 of the compiled kernels, found without loading them; "" where they are not built."""
    place = _place(f"{OURS}._C")
    return file_digest(place) if isinstance(place, Path) else ""


def here(name: str) -> str:
    """What stands in this process's place of an entry of a manifest: a digest or a version; "" where nothing does."""
    if name == KERNELS:
        return kernels_digest()
    stem, dot, _ = name.rpartition(".")
    if not dot or ("/" not in name and not name.endswith((".py", ".so"))):
        return _version(name)
    place = _place(stem.removesuffix("/__init__").replace("/", "."))
    return file_digest(place) if isinstance(place, Path) else ""


def told(old: Manifest, new: Manifest) -> list[str]:
    """What differs between two manifests, each name once: files, and packages with their versions."""
    return [_difference(name, old.get(name, ""), new.get(name, "")) for name in sorted({*old, *new})
            if old.get(name) != new.get(name)]  # fmt: skip


def _difference(name: str, old: str, new: str) -> str:
    if name.endswith((".py", ".so")):
        return name if old and new else f"{name} ({'new' if new else 'no longer used'})"
    return f"{name} {old or 'none'} → {new or 'none'}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == OURS


def _called(module: str, place: Path) -> str:
    """What a manifest calls a file: its path below the folder that its package was found in."""
    stem = module.replace(".", "/")
    if place.name.startswith("__init__."):
        return f"{stem}/{place.name}"
    return f"{stem}{'.py' if place.suffix == '.py' else '.so'}"


def _place(module: str) -> Path | _Distribution | None:
    """The file of a module that counts by its content, the distribution of one that counts by its version, or None."""
    top = module.partition(".")[0]
    if top == OURS:
        return _our_place(module)
    if not top or top in sys.stdlib_module_names or top == "__main__":
        return None
    path = _origin(module)
    if path is None:
        return None
    found = _distribution(top, path.parents[module.count(".") + path.name.startswith("__init__.")])
    if found is None:
        return path
    return None if found.name.lower().replace("_", "-") in RECORDED else found


@cache
def _our_place(module: str) -> Path | None:
    return _origin(module)


def _origin(module: str) -> Path | None:
    spec = _spec(module)
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin is not None else None


def _spec(module: str) -> ModuleSpec | None:
    """Where Python would find a module; its packages are not imported for it."""
    top, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # one that was made by hand has no spec
        return None
    name = top
    for part in inner:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


@cache
def _distribution(top: str, folder: Path) -> _Distribution | None:
    """The installed distribution that put a package or module into a folder; None where none says so."""
    named = re.compile(rf"^{re.escape(top)}[/.]", re.MULTILINE)
    likely = top.lower().replace("-", "_")
    listings = sorted(folder.glob("*.dist-info/RECORD"), key=lambda path: likely not in path.parent.name.lower())
    for listing in listings:
        if named.search(listing.read_text(encoding="utf-8", errors="replace")):
            found = PathDistribution(listing.parent)
            return _Distribution(found.name, found.version)
    return None


def _uses(module: str, place: Path) -> _Uses:
    if place.name.endswith(tuple(EXTENSION_SUFFIXES)):
        return _Uses()
    now = stamp(place)
    before = _parsed.get(place)
    if before is None or before[0] != now:
        package = module if place.name == "__init__.py" else module.rpartition(".")[0]
        _parsed[place] = before = (now, _read(place, package, _is_ours(module)))
    return before[1]


def _read(place: Path, package: str, ours: bool) -> _Uses:
    try:
        tree = ast.parse(place.read_bytes())
    except (SyntaxError, ValueError):
        return _Uses()  # it cannot be imported either
    imports: dict[str, None] = {}
    rows: list[tuple[str, str]] = []
    for node in _nodes(tree, ours and package != OURS):
        if isinstance(node, ast.Dict):
            rows += _rows(node)
        for name in _imported(node, package):
            if _is_ours(name):  # whose packages hold nothing but tables, which are looked at where they are asked for
                imports[name] = None
            elif not ours:  # what mtlbench itself requires belongs to the environment
                imports |= dict.fromkeys((*_parents(name), name))
    return _Uses(tuple(imports), tuple(rows) if ours else ())


def _nodes(tree: ast.AST, without_annotations: bool) -> Iterator[ast.AST]:
    """All nodes, but for what is imported for annotations alone."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if without_annotations and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        todo += ast.iter_child_nodes(node)


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """The modules that a statement, or a call of ``import_module`` with a constant, may import."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args:
        called, name = ast.unparse(node.func).rpartition(".")[2], node.args[0]
        if called in ("import_module", "__import__") and isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value if not name.value.startswith(".") else package + name.value


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:i]) for i in range(1, len(parts)))


def _rows(node: ast.Dict) -> Iterator[tuple[str, str]]:
    for key, value in zip(node.keys, node.values, strict=True):
        pair = [found.value for found in (key, value) if isinstance(found, ast.Constant)]
        if len(pair) == 2 and all(isinstance(text, str) for text in pair) and _ROW.fullmatch(str(pair[1])):
            yield str(pair[0]), str(pair[1]).partition(":")[0]
