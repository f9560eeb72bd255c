"""Text is read and written as UTF-8 by name, whatever the locale: every call of the code, bytes aside."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("mtlbench", "bench", "docs", "examples")
CODE = [ROOT / "setup.py", *(path for room in ROOMS for path in sorted(ROOT.glob(f"{room}/**/*.py")))]
MODE = re.compile(r"[rwax+bt]{1,3}")
OPENING = ("open", "fdopen")
TEXTS = {"read_text": 0, "write_text": 1}  # the place of the encoding


def calls_without_encoding(source: str) -> Iterator[int]:
    """The lines of calls that would take the locale's encoding."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _by_locale(node):
            yield node.lineno


def _by_locale(call: ast.Call) -> bool:
    keys = {word.arg: word.value for word in call.keywords}
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if "encoding" in keys:
        return False
    if name in TEXTS:
        return len(call.args) <= TEXTS[name]
    if name in OPENING:
        path_method = name == "open" and isinstance(call.func, ast.Attribute)  # its first argument is the mode
        given = [*call.args, *(value for key, value in keys.items() if key == "mode")]
        modes = [a.value for a in given if isinstance(a, ast.Constant) and MODE.fullmatch(str(a.value))]
        if path_method and given and not (isinstance(given[0], ast.Constant) and given[0].value in modes):
            return False  # tarfile.open(path, mode), Image.open(stream)
        return not any("b" in str(mode) for mode in modes)
    return name == "TextIOWrapper" or any(isinstance(keys.get(k), ast.Constant) for k in ("text", "universal_newlines"))


def test_calls_that_depend_on_the_locale_are_found() -> None:
    wrong = ["open(p)", "open(p, 'w')", "p.open()", "p.open('a')", "p.read_text()", "p.write_text(t)", "os.fdopen(f)"]
    right = ["open(p, 'rb')", "p.open('rb')", "p.write_text(t, 'utf-8')", "open(p, encoding='utf-8')", "os.open(p, 0)"]
    right += ["tarfile.open(path, 'w')", "Image.open(stream)", "os.fdopen(handle, 'wb')", "run(c)", "p.read_bytes()"]
    assert [code for code in wrong if not list(calls_without_encoding(code))] == []
    assert [code for code in right if list(calls_without_encoding(code))] == []
    assert list(calls_without_encoding("subprocess.run(c, text=True)")) == [1]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_has_a_named_encoding(path: Path) -> None:
    lines = list(calls_without_encoding(path.read_text(encoding="utf-8")))
    assert not lines, f"{path}: lines {lines}: expected encoding=\"utf-8\""
