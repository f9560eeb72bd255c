"""The code that a suite would import, from its text alone."""

from __future__ import annotations

from pathlib import Path

from mtlbench.suite.foreign import foreign_code

SUITE = """\
problem:
  - {name: 'never.imported:Problem', label: harmless}
  - digits
methods:
  a: {weighting: 'mine:Mine', learner: {name: mine:Mine}}
metrics: {t: [accuracy, 'sklearn:f1', 'mine:metric']}
data: corpora.zip/a:b
"""


def test_every_name_of_code_is_found_with_its_label(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SUITE, encoding="utf-8")
    assert foreign_code(path) == ("never.imported:Problem (labelled 'harmless')", "mine:Mine", "mine:metric")
