"""What may lie where a trial's file should be: contents, and things that are no files."""

from __future__ import annotations

import copy
import json
import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mtlbench.store.sealed import sealed

Json = dict[str, Any]
HUGE = 10**400
ODD: list[Any] = [None, True, [], [[]], {}, {"a": []}, "", "text", -1, 0, 99, 1.5, HUGE, float("nan"), float("inf")]
NESTED = "[" * 100_000


def open_(text: str) -> Json:
    """The content of a trial's file without its seal."""
    content: Json = json.loads(text)
    del content["sha256"]
    return content


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value within a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from places(child, (*path, key))


def changed(content: Json, path: tuple[Any, ...], value: Any) -> Json:
    """The content with another value in a place."""
    content = copy.deepcopy(content)
    parent = content
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return content


def without(content: Json, path: tuple[Any, ...]) -> Json:
    """The content without a place."""
    content = copy.deepcopy(content)
    parent = content
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return content


def texts(text: str) -> Iterator[tuple[str, str]]:
    """Contents that are not what was written, by what is wrong with them."""
    content = open_(text)
    records = content["result"]["records"]
    for name, wrong in {
        "a value changed": changed(content, ("result", "records", 0, "value"), 0.25),
        "records cut": changed(content, ("result", "records"), records[:-1]),
        "records gone": changed(content, ("result", "records"), []),
        "failures nested": changed(content, ("failures",), [[]]),
        "no result": changed(content, ("result",), None),
        "a failure that is none": changed(content, ("failures",), [None]),
    }.items():
        seal = text[: text.index('", ') + 3]
        yield f"{name}, old seal", seal + json.dumps(wrong)[1:]
        yield f"{name}, no seal", json.dumps(wrong)
    for version in (0, -1, 99, "3", None, 3.0, True, HUGE):
        yield f"version {str(version)[:5]}", sealed(changed(content, ("version",), version))
        yield f"version {str(version)[:5]} of the result", sealed(changed(content, ("result", "version"), version))
    yield from {
        "empty": "",
        "cut": text[: len(text) // 2],
        "one byte flipped": text.replace("digits", "digitz", 1),
        "nested lists": NESTED,
        "nested mappings": '{"a":' * 100_000,
        "nested within": json.dumps(content).replace('"failures": []', f'"failures": {NESTED}'),
        "a list": "[]",
        "a number": str(HUGE),
        "more digits than are read": "9" * 5000,
        "nothing": "null",
        "a seal alone": '{"sha256": "',
        "a seal of nothing": '{"sha256": "", ',
        "zeros": "\x00" * 512,
        "two files": text + text,
        "half a surrogate": sealed(changed(content, ("result", "error"), "\ud800")),
    }.items()


def mistyped(text: str, seed: int, count: int) -> Iterator[str]:
    """Contents with a seal of their own and one place of another type, or gone: what no checksum can tell. ``count``
    is how many values are tried in each place.
    """
    content, source = open_(text), random.Random(seed)
    for path in places(content):
        if path[:2] in ((("trial"), "resources"), ("result", "environment")) and len(path) > 2:
            continue  # of which nothing asks more than that it is there
        yield sealed(without(content, path))
        yield from (sealed(changed(content, path, value)) for value in source.sample(ODD, count))


def damaged(text: str, seed: int, count: int) -> Iterator[bytes]:
    """Copies with bytes changed, cut out, doubled or moved at random."""
    source, whole = random.Random(seed), text.encode()
    for _ in range(count):
        data = bytearray(whole)
        for _ in range(source.choice([1, 1, 2, 8])):
            start = source.randrange(len(data))
            end = min(len(data), start + source.choice([1, 4, 64]))
            kind = source.randrange(4)
            if kind == 0:
                data[start] ^= 1 << source.randrange(8)
            elif kind == 1:
                del data[start:end]
            elif kind == 2:
                data[start:start] = data[start:end]
            else:
                data[start:end] = source.randbytes(end - start)
        if bytes(data) != whole:
            yield bytes(data)


def _socket(path: Path) -> None:
    """A socket; its path is bound from within its folder, since the whole would be too long."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


# Things under a file's name that are no files, or none that can be read.
THINGS: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a full folder": lambda path: (path / "within").mkdir(parents=True),
    "a pipe": lambda path: os.mkfifo(path),
    "a socket": _socket,
    "a loop": lambda path: path.symlink_to(path.name),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a folder": lambda path: path.symlink_to("/"),
    "a terabyte of nothing": _sparse,
    "bytes": lambda path: path.write_bytes(bytes(range(256))),
}
