"""The house's walls: who may import whom, read from the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mtlbench"
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "suite": {"core"},
    "ops": {"core"},
    "measure": {"core"},
    "store": {"core"},
    "fused_adam": {"core", "ops"},
    "report": {"core", "store"},
}
_LOWER = {"core", "ops", "measure", "store"}
ALLOWED |= dict.fromkeys(("problems", "architectures", "weightings", "penalties"), _LOWER)
ALLOWED["optim"] = {*_LOWER, "fused_adam"}
ALLOWED["engine"] = {*ALLOWED["optim"], "optim", "penalties", "problems", "architectures", "weightings"}
ALLOWED["learners"] = {*ALLOWED["engine"], "engine"}
ALLOWED["kernels"] = ALLOWED["learners"]
ALLOWED["plan"] = {*ALLOWED["learners"], "learners", "kernels", "suite"}
ALLOWED["runner"] = {*ALLOWED["plan"], "plan", "report"}
ALLOWED["screen"] = {*ALLOWED["runner"], "runner"}
ALLOWED["cli"] = {*ALLOWED["screen"], "screen"}
ALLOWED["__main__"] = {"cli"}
# The walls inside the report.
ALLOWED_IN_REPORT = {
    "evidence": {"evidence"},
    "writing": {"evidence", "writing"},
    "sections": {"evidence", "writing", "sections"},
}
FENCED = {
    "ray": {f"runner/ray_{name}.py" for name in ("scheduler", "cluster", "private", "nodes", "losses", "job")},
    "pandas": {"store", "report", "problems", "runner/session.py", "screen/tables.py"},
    "yaml": {"core/yaml_writer.py", "suite"},
}
HEAVY = {"torch", "ray", "pandas", "sklearn", "scipy", "matplotlib", "pyarrow"}
FILES = sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path, top_only: bool = False) -> Iterator[str]:
    """Absolute names of what a file imports at run time (imports for annotations alone do not count)."""
    tree = ast.parse(path.read_text())
    annotation_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    nodes = tree.body if top_only else ast.walk(tree)
    package = ["mtlbench", *path.relative_to(PACKAGE).parts[:-1]]
    for node in nodes:
        if node in annotation_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def _file(name: str) -> Path | None:
    """The file of a dotted name: its module's, its package's, or the one that it is an attribute of."""
    parts = name.split(".")[1:]
    while parts:
        stem = PACKAGE.joinpath(*parts)
        if stem.with_suffix(".py").exists():
            return stem.with_suffix(".py")
        if (stem / "__init__.py").exists():
            return stem / "__init__.py"
        parts.pop()
    return PACKAGE / "__init__.py"


@cache
def _files_imported(path: Path, top_only: bool = False) -> frozenset[Path]:
    found = {_file(name) for name in _imports(path, top_only) if name.startswith("mtlbench.")}
    return frozenset(file for file in found if file is not None and file != path)


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _short(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _within(path: Path, places: set[str]) -> bool:
    name = _short(path)
    return any(name == place or name.startswith(place + "/") for place in places)


def _light() -> set[Path]:
    """What `mtlbench plan` imports before it has read a suite, and the files of all entries that it may look at."""
    rows = [
        node.value
        for path in FILES
        if path.name == "__init__.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith("mtlbench.") and ":" in node.value and not node.value.startswith("mtlbench.report.")
    ]
    todo = {PACKAGE / "cli.py", PACKAGE / "plan" / "plan.py"}
    todo |= {file for file in (_file(row.replace(":", ".")) for row in rows) if file is not None}
    found: set[Path] = set()
    while todo:
        path = todo.pop()
        found.add(path)
        todo |= _files_imported(path, top_only=True) - found
    return found


LIGHT = _light()


@pytest.mark.parametrize("path", FILES, ids=_short)
def test_rooms_import_only_what_lies_below(path: Path) -> None:
    room = _room(path)
    if room not in ALLOWED:  # the package's face hands names on
        assert path == PACKAGE / "__init__.py"
        return
    own = {name.split(".")[1] for name in _imports(path) if name.startswith("mtlbench.")}
    assert own - {room} <= ALLOWED[room]


@pytest.mark.parametrize("path", [file for file in FILES if _room(file) == "report"], ids=_short)
def test_the_report_has_walls_too(path: Path) -> None:
    inner = path.relative_to(PACKAGE).parts[1]
    if inner in ALLOWED_IN_REPORT:
        rooms = {file.relative_to(PACKAGE).parts[1] for file in _files_imported(path) if _room(file) == "report"}
        assert rooms <= ALLOWED_IN_REPORT[inner]


def test_nothing_goes_in_circles() -> None:
    left = {path: set(_files_imported(path)) & set(FILES) for path in FILES}
    while free := [path for path, needs in left.items() if not needs]:
        for path in free:
            del left[path]
        left = {path: needs - set(free) for path, needs in left.items()}
    assert not left, f"circles among {sorted(map(_short, left))}"


@pytest.mark.parametrize("path", FILES, ids=_short)
def test_fences(path: Path) -> None:
    for library, places in FENCED.items():
        if library in {name.split(".")[0] for name in _imports(path)}:
            assert _within(path, places), f"{library} is known to {sorted(places)} alone"
    if "torch.ops.mtlbench" in path.read_text():
        assert _within(path, {"ops"})


@pytest.mark.parametrize("path", sorted(LIGHT), ids=_short)
def test_plans_wait_for_nothing_heavy(path: Path) -> None:
    assert not HEAVY & {name.split(".")[0] for name in _imports(path, top_only=True)}


@pytest.mark.parametrize("path", FILES, ids=_short)
def test_files_and_functions_stay_short(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") < 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            start = (first.end_lineno or 0) if documented else node.lineno
            assert (node.end_lineno or 0) - start <= 40, node.name


def test_help_waits_for_nothing_heavy() -> None:
    code = "import sys, mtlbench.cli; print(sorted(m for m in sys.modules if '.' not in m))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(ast.literal_eval(modules))
