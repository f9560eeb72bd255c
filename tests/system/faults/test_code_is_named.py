"""A suite's own code is named before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.conftest import Cli


@pytest.mark.parametrize("words", [("plan",), ("run", "--dry-run"), ("run", "--executor", "serial")], ids=" ".join)
def test_code_is_named_before_it_is_imported(words: tuple[str, ...], suite: Path, cli: Cli) -> None:
    """The module says on import that it runs, and then fails, so that nothing else does."""
    (suite.parent / "mine.py").write_text("import sys\nsys.stderr.write('it runs')\nraise OSError('as it likes')\n")
    problem = "{name: 'mine:Problem', label: harmless}"
    suite.write_text(suite.read_text().replace("{name: digits, tasks: [digit, parity]}", problem))
    done = cli(*words, suite)
    assert done.returncode == 2
    named, ran = done.stderr.find("imports mine:Problem (labelled 'harmless')"), done.stderr.find("it runs")
    assert -1 < named < ran
