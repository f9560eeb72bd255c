"""Pipes and devices in place of files that a user names: refused by name, without waiting and without reading on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtlbench.core.regular import REFUSED

from ..conftest import SUITE, Cli

Put = Callable[[Path], object]
ODD: dict[str, Put] = {"a pipe": os.mkfifo, "a device": lambda path: path.symlink_to("/dev/zero")}
DATA = "{name: digits, tasks: [digit, parity]}"
# Problems that read files of every kind, by the file that is no file.
FILES = {
    "table.csv": "{name: tabular, path: table.csv, targets: [a, b]}",
    "table.parquet": "{name: tabular, path: table.parquet, targets: [a, b]}",
    "table.arff": "{name: tabular, path: table.arff, targets: [a, b]}",
    "table.mat": "{name: tabular, path: table.mat, targets: [c1, c2]}",
    "images": "{name: idx, images: images, labels: labels}",
    "words.txt": "{name: text, tasks: {one: {train: words.txt}}}",
    "words.zip": "{name: text, tasks: {one: {train: words.zip/a.txt}}}",
}


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    """What waits for ever fails instead."""

    def fail(*_: object) -> None:
        raise AssertionError("expected a refusal, got a wait without end")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", ODD)
def test_a_suite(kind: str, cli: Cli, tmp_path: Path) -> None:
    ODD[kind](tmp_path / "odd.yaml")
    for command in ("plan", "run"):
        ended = cli(command, "odd.yaml")
        assert ended.returncode == 2
        assert REFUSED in ended.stderr


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_data(kind: str, name: str, cli: Cli, suite: Path) -> None:
    ODD[kind](suite.parent / name)
    suite.write_text(SUITE.replace(DATA, FILES[name]))
    ended = cli("plan", suite)
    assert ended.returncode == 2
    assert name.partition("/")[0] in ended.stderr
    assert REFUSED in ended.stderr or name == "words.zip"  # no archive at all


@pytest.mark.parametrize("kind", ODD)
def test_a_checkpoint(kind: str, cli: Cli, suite: Path) -> None:
    ODD[kind](suite.parent / "trunk.pt")
    suite.write_text(SUITE.replace("{weighting: equal}", "{weighting: equal, init_from: {file: trunk.pt}}"))
    ended = cli("plan", suite)
    assert ended.returncode == 2
    assert REFUSED in ended.stderr


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", ["run.json", "records.parquet", "trials.parquet"])
def test_a_copy_of_results(kind: str, name: str, cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    for frame in ("records.parquet", "trials.parquet"):
        (folder / frame).write_bytes(b"")
    (folder / name).unlink()
    if name == "trials.parquet":
        pytest.importorskip("pandas").DataFrame({"a": [1]}).to_parquet(folder / "records.parquet")
    ODD[kind](folder / name)
    ended = cli("report", folder)
    assert ended.returncode == 2
    assert REFUSED in ended.stderr


def test_no_link_has_a_file_of_others_emptied(cli: Cli, suite: Path) -> None:
    """The lock of a results folder that somebody else prepared leads to a file of the user's own."""
    precious = suite.parent / "precious"
    precious.write_text("kept")
    folder = suite.parent / "results" / "small"
    folder.mkdir(parents=True)
    (folder / ".lock").symlink_to(precious)
    cli("run", suite, "--executor", "serial", "--only", "nothing")
    cli("run", suite, "--executor", "serial", "--only", "*equal*seed0")
    assert precious.read_text() == "kept"
