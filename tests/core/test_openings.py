"""Files that a user names are opened in one place: no other line of the package opens one by its path."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mtlbench

PACKAGE = Path(mtlbench.__file__).parent
# Calls that open a file for reading by its path, by the name that is called.
OPENING = {
    *("open", "read_bytes", "read_text", "fromfile", "loadtxt", "genfromtxt", "memmap"),
    *("ZipFile", "ParquetFile", "read_parquet", "read_csv", "loadmat"),
}
STREAMS = {"stream", "file"}  # what has been opened before
OWN_CLASSES = {"Pair", "Members"}  # whose ``open`` calls something here in turn
# Files that no user names: the system's, the package's own, and code, which Python's own finders take from regular
# files alone.
OURS = {
    "core/regular.py": 1,  # the one home
    "core/sources.py": 2,
    "measure/environment.py": 3,
    "measure/memory.py": 1,
    "measure/roofline.py": 1,
    "problems/images/files.py": 1,  # writes an archive
    "report/writing/html.py": 2,
    "runner/ray_losses.py": 1,  # a log of Ray's
    "runner/rank.py": 1,  # what mtlbench itself left for its processes
    "runner/ranks.py": 4,
    "store/columns.py": 1,  # what has been read already
    "store/files.py": 1,  # a folder, to have its entries written
    "store/folder.py": 1,  # the lock, which is written to
    "screen/starter.py": 1,  # a new file
}


def _openings(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls that open something by its path, rather than read what is open already."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        owner, _, name = ast.unparse(node.func).rpartition(".")
        given = [ast.unparse(one) for one in (*node.args[:1], *(k.value for k in node.keywords if k.arg == "fileobj"))]
        is_open = any(one in STREAMS or one.startswith(("io.BytesIO(", "io.StringIO(")) for one in given)
        if (name in OPENING or (owner, name) == ("np", "load")) and owner not in OWN_CLASSES and not is_open:
            yield node


def test_the_package_opens_files_in_no_other_way() -> None:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if count := len(list(_openings(ast.parse(path.read_text(encoding="utf-8"))))):
            found[path.relative_to(PACKAGE).as_posix()] = count
    assert found == OURS
