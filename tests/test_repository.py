"""What the repository says in several places is the same in all of them."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def _normal(requirement: str) -> str:
    """The name of a requirement as package indices compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement)[0]).lower()


def test_every_requirement_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {_normal(line) for line in lines if "==" in line}
    required = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]
    assert {_normal(requirement) for requirement in required} <= pinned


def test_the_workflow_runs_on_every_python_that_is_named() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert job["strategy"]["matrix"]["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]


@pytest.mark.parametrize("path", [path for path in FORMS if path.name != "config.yml"], ids=lambda path: path.stem)
def test_issue_forms_have_what_github_requires(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert form["name"]
    assert form["description"]
    identifiers = [field["id"] for field in form["body"]]
    assert len(set(identifiers)) == len(identifiers) > 0
    for field in form["body"]:
        assert field["type"] in {"textarea", "input", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]


def _opens_text(call: ast.Call) -> bool:
    """Whether a call opens, reads or writes a file as text."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method in ("read_text", "write_text"):
        return True
    if any(word.arg == "fileobj" for word in call.keywords):  # an archive, from what is open already
        return False
    if method != "open" and not (isinstance(call.func, ast.Name) and call.func.id == "open"):
        return False
    place = 0 if method else 1
    mode = call.args[place] if len(call.args) > place else ast.Constant("r")
    return isinstance(mode, ast.Constant) and bool(re.fullmatch(r"[rwax+]+t?", str(mode.value)))


def _texts_without_encoding(path: Path) -> list[int]:
    """Lines on which a text file is opened in whatever encoding the locale has."""
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    named = ((call, {word.arg for word in call.keywords}) for call in calls)
    return [call.lineno for call, words in named if _opens_text(call) and "encoding" not in words]


def test_every_text_file_is_read_and_written_in_utf_8_by_name() -> None:
    places = [path for room in ("mtlbench", "docs", "bench", "examples") for path in (ROOT / room).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): lines for path in places if (lines := _texts_without_encoding(path))}
    assert found == {}


def test_a_text_file_opened_in_the_locale_s_encoding_is_noticed(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text(
        "p.read_text()\nopen(p)\nopen(p, 'rb')\np.open('w')\np.open('wb')\nopen(p, 'w', encoding='utf-8')\n"
    )
    assert _texts_without_encoding(code) == [1, 2, 4]
