"""What a user names is a regular file, wherever it is opened, or is refused at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from mtlbench.core.digests import file_digest
from mtlbench.core.errors import DataError, SuiteError
from mtlbench.core.regular import REFUSED, opened_regular
from mtlbench.problems.files import find, is_zipped, opened
from mtlbench.problems.images.files import Members
from mtlbench.problems.text.files import locate
from mtlbench.runner.checkpoints import _content
from mtlbench.store.sealed import NotBelievedError, _text
from mtlbench.suite.yaml_reader import read_yaml

OPENERS: dict[str, Callable[[Path], object]] = {
    "any file": opened_regular,
    "suite": read_yaml,
    "digest": file_digest,
    "trunk": _content,
    "trial": _text,
    "data": lambda path: find(path.parent, path.name),
    "data again": lambda path: opened(path).__enter__(),
    "zipped data": is_zipped,
    "text": lambda path: locate(path.parent, path.name),
    "images": lambda path: Members.open(path, [".png"]),
    "image": lambda path: Members(path.parent, {"a.png": path}).read("a.png"),
}


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def link(folder: Path) -> Path:
    (folder / "link").symlink_to("/dev/zero")
    return folder / "link"


def bound(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
    return folder / "s"


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    "odd", [lambda _: Path("/dev/zero"), link, pipe, bound], ids=["device", "link", "pipe", "socket"]
)
def test_what_is_no_file_is_refused_without_waiting(odd: Callable[[Path], Path], opener: str, tmp_path: Path) -> None:
    path = odd(tmp_path)
    with pytest.raises((OSError, DataError, SuiteError, NotBelievedError)) as caught:
        OPENERS[opener](path)
    assert REFUSED in str(caught.value) or odd is bound  # which the system itself does not open


def test_a_file_is_read_and_a_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "b").symlink_to("a")
    with opened_regular(tmp_path / "b") as file:
        assert file.read() == b"text"
    with pytest.raises(IsADirectoryError):
        opened_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        opened_regular(tmp_path / "c")
