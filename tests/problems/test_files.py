from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from mtlbench.core.errors import DataError
from mtlbench.problems.files import find, opened


def test_relative_to_the_suite_absolute_and_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find(tmp_path, "a.csv") == find(Path("/"), str(file)) == find(Path("/"), "~/a.csv") == file


def test_a_missing_file_is_named_with_its_nearest(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("x")
    with pytest.raises(DataError, match=r"patient\.csv: no such file; did you mean 'patients\.csv'"):
        find(tmp_path, "patient.csv")
    with pytest.raises(DataError, match=r"nowhere/b\.csv: no such file; relative paths start"):
        find(tmp_path, "nowhere/b.csv")


def test_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="folder: expected a file, got a directory"):
        find(tmp_path, "folder")
    with pytest.raises(DataError, match="pipe: expected a regular file"):
        find(tmp_path, "pipe")
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(DataError):
            find(tmp_path, name)


def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.csv").write_text("x")
    monkeypatch.setattr(os, "access", lambda *_: False)  # the administrator may read everything
    with pytest.raises(DataError, match=r"secret\.csv: cannot be read \(permission denied\)"):
        find(tmp_path, "secret.csv")


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    for name, content in (("zipped", gzip.compress(b"text")), ("plain.gz", b"text")):
        (tmp_path / name).write_bytes(content)
        with opened(tmp_path / name) as stream:
            assert stream.read() == b"text"


@pytest.mark.parametrize("damage", ["truncated", "flipped", "garbage after it"])
def test_a_damaged_gzip_file(tmp_path: Path, damage: str) -> None:
    whole = bytearray(gzip.compress(bytes(range(256)) * 20))
    if damage == "flipped":
        whole[len(whole) // 2] ^= 0xFF
    content = {"truncated": whole[:-10], "flipped": whole, "garbage after it": whole + b"garbage"}[damage]
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.gz: expected a whole gzip file"), opened(tmp_path / "a.gz") as stream:
        stream.read()
