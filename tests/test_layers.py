"""The house's walls: who may import whom, read from the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mtlbench"
ALLOWED = {
    "core": set(),
    "ops": {"core"},
    "measure": {"core"},
    "store": {"core"},
    "fused_adam": {"core", "ops"},
    "optim": {"core", "ops", "measure", "store", "fused_adam"},
    "problems": {"core", "ops", "measure", "store"},
    "penalties": {"core", "ops", "measure", "store"},
    "architectures": {"core", "ops", "measure", "store"},
    "weightings": {"core", "ops", "measure", "store"},
    "report": {"core", "store"},
}
ALLOWED["engine"] = {*ALLOWED["optim"], "optim", "penalties", "problems", "architectures", "weightings"}
ALLOWED["learners"] = {*ALLOWED["engine"], "engine"}
ALLOWED["kernels"] = {*ALLOWED["engine"], "engine"}
ALLOWED["runner"] = {*ALLOWED["learners"], "learners", "kernels", "report"}
ALLOWED["cli"] = {*ALLOWED["runner"], "runner"}
ALLOWED["__main__"] = {"cli"}
FENCED = {
    "ray": {"runner/ray_scheduler.py"},
    "pandas": {"store.py", "report", "problems", "runner/session.py", "runner/screen.py"},
    "yaml": {"core"},
}
HEAVY = {"torch", "ray", "pandas", "sklearn", "scipy", "matplotlib", "pyarrow"}
LIGHT_ROOMS = (
    "learners/gradient.py",
    "learners/kernel_svm.py",
    "learners/relation",
    "learners/ridge.py",
    "learners/rows.py",
    "core",
    "problems",
    "architectures",
    "weightings",
    "optim/__init__.py",
    "optim/base.py",
    "optim/sgd.py",
    "optim/adaptive.py",
    "optim/adam.py",
    "optim/second_order.py",
    "optim/schedules.py",
    "penalties",
    "cli.py",
    "runner/plan.py",
)
HEAVY_PLACES = {"architectures/layers"}  # imported where a model is built
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
    here = ["mtlbench", *path.relative_to(PACKAGE).with_suffix("").parts]
    package = here if path.name == "__init__.py" else here[:-1]
    package = package[:-1] if path.name == "__init__.py" else package
    for node in nodes:
        if node in annotation_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _within(path: Path, places: set[str]) -> bool:
    name = path.relative_to(PACKAGE).as_posix()
    return any(name == place or name.startswith(place + "/") for place in places)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_rooms_import_only_what_lies_below(path: Path) -> None:
    room = _room(path)
    if room not in ALLOWED:  # the package's face hands names on
        assert path == PACKAGE / "__init__.py"
        return
    own = {name.split(".")[1] for name in _imports(path) if name.startswith("mtlbench.")}
    assert own - {room} <= ALLOWED[room]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_fences(path: Path) -> None:
    for library, places in FENCED.items():
        if library in {name.split(".")[0] for name in _imports(path)}:
            assert _within(path, places), f"{library} is known to {sorted(places)} alone"
    if "torch.ops.mtlbench" in path.read_text():
        assert _within(path, {"ops"})
    if _within(path, set(LIGHT_ROOMS)) and not _within(path, HEAVY_PLACES):
        assert not HEAVY & {name.split(".")[0] for name in _imports(path, top_only=True)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
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
