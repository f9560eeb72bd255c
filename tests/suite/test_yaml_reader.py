from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtlbench.core.errors import SuiteError
from mtlbench.core.yaml_writer import to_yaml
from mtlbench.suite.tree import Node, Place
from mtlbench.suite.yaml_reader import MAX_BYTES, read_yaml


def _no_character() -> str:
    """What this Python says of a number that no character has; versions differ."""
    with pytest.raises((OverflowError, ValueError)) as caught:
        chr(0xFFFFFFFF)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.yaml"


def _read(path: Path, text: str | bytes) -> Any:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    node, issues = read_yaml(path)
    assert not issues
    return node.plain()


def _faults(path: Path, text: str | bytes) -> list[str]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    try:
        issues = read_yaml(path)[1]
    except SuiteError as error:
        issues = list(error.issues)
    return [str(issue).removeprefix(str(path)).removeprefix(":") for issue in issues]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1.0e-3", 1e-3),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("0x1F", 31),
        ("0o17", 15),
        ("007", 7),
        ("-12", -12),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("2024-01-31", "2024-01-31"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("'1'", "1"),
        ("~", None),
        ("", None),
        ("my_package.module:Problem", "my_package.module:Problem"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(path: Path, text: str, value: object) -> None:
    found = _read(path, f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_places_count_from_one(path: Path) -> None:
    path.write_text("# first\na: {b: [1, two]}\nc:\n  d: x\n")
    node, _ = read_yaml(path)
    assert node["a"].key == Place(2, 1)
    assert node["a"].place == Place(2, 4)
    assert node["a"]["b"].value[1] == Node("two", Place(2, 12), Place(2, 12))
    assert node["c"]["d"].key == Place(4, 3)
    assert node["c"]["d"].place == Place(4, 6)


def test_aliases_and_merge_keys(path: Path) -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\nd: {<<: [{x: 4}, *a]}\n"
    assert _read(path, text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2},
        "d": {"x": 4, "y": 2},
    }


def test_byte_order_mark_and_windows_lines(path: Path) -> None:
    assert _read(path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


EMPTY = "the file is empty; expected keys such as problem, methods and seeds (`mtlbench init` writes a start)"
TAB = "while scanning for the next token, found character '\\t' that cannot start any token"


def _lol(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", [f"1:1: {EMPTY}"]),
        ("# nothing", [f"1:1: {EMPTY}"]),
        ("a: 1\nb: [1", ["2:6: not YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"]),
        ("a: b: c", ["1:5: not YAML: mapping values are not allowed here"]),
        ("a: 1\n\ta: 2", [f"2:1: not YAML: {TAB}"]),
        ("a: 1\nb: 2\na: 3", ["3:1: duplicate key 'a', given first in line 1"]),
        ("{a: 1, 'a': 2, a: 3}", [f"1:{c}: duplicate key 'a', given first in line 1" for c in (8, 16)]),
        (b"a: \xc3\xa9\nb: \xff", ["2:4: not text in UTF-8: got byte 0xff; save the file as UTF-8"]),
        ("a: 1\nb: x\x07y", ["2:5: not YAML: expected printable text, got the character U+0007"]),
        ("a: 1\n---\nb: 2", ["2:1: expected one suite in a file, got a second document after `---`"]),
        ("a: *b", ["1:4: not YAML: found undefined alias 'b'"]),
        ("a: &b [1, *b]", ["1:4: an anchor that contains itself; expected plain values"]),
        ("[" * 5000, ["1:41: too large: expected at most 40 levels"]),
        ("[1" + ", 1" * 20_000 + "]", ["1:29999: too large: expected at most 10,000 values"]),
        (_lol(9), ["1:1: too large: expected at most 10,000 values once aliases are filled in"]),
        ("a: !!python/name:os.x y", ["1:4: expected plain values without tags, got the tag '!!python/name:os.x'"]),
        ("a: !own {b: 1}", ["1:4: expected plain values without tags, got the tag '!own'"]),
        ('a: "\\UFFFFFFFF"', [f"1:1: not YAML: {_no_character()}"]),
        ('a: "\\ud800"', ["1:4: expected text, got half of a surrogate pair (\\uD800 to \\uDFFF)"]),
        ("? [a]\n: b", ["1:3: expected a name as key, got a list or a mapping"]),
        ("a: .nan\nb: 1e999", ["1:4: expected a finite number, got .nan", "2:4: expected a finite number, got 1e999"]),
        ("a: " + "9" * 5000, [f"1:4: expected an integer of at most 63 bits, got {'9' * 40}…"]),
        ("a: {<<: 3}", ["1:9: expected a mapping, or a list of mappings, after `<<`"]),
        ("a: !!int x", ["1:4: expected a number, got 'x'"]),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_faults(path: Path, text: str | bytes, faults: list[str]) -> None:
    assert _faults(path, text) == faults


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(os.urandom(16) * (10 << 16))
    assert large.stat().st_size > MAX_BYTES
    cases = {
        large: "expected a suite file of at most 1 MiB, got a larger file",
        tmp_path: "expected a suite file, got a folder",
        tmp_path / "none.yaml": "no such file; `mtlbench init` writes a suite to start from",
        tmp_path / ("x" * 300): "cannot read the suite file: File name too long",
        tmp_path / "nul\0": "cannot read the suite file: embedded null byte",
    }
    for path, message in cases.items():
        with pytest.raises(SuiteError) as caught:
            read_yaml(path)
        assert str(caught.value) == f"{path}: {message}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(content=st.binary(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@,? \n\t<1.e", max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with contextlib.suppress(SuiteError):
        read_yaml(path)[0].plain()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
    | st.sampled_from(["1e-3", "1e3", ".5", "yes", "null", "~", "<<", "0o7", "1_0", "2020-01-01", "=", "a: b", "# x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc<~1", max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=PLAIN)
def test_what_is_written_reads_back(path: Path, value: Any) -> None:
    text = to_yaml({"value": value})
    assert _read(path, text) == {"value": value}
    assert yaml.safe_load(text) == {"value": value}  # and by readers of YAML 1.1
