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


def test_whatever_would_be_imported_is_named(tmp_path: Path) -> None:
    """Modules that no identifier names can be imported all the same, and so can that of an attribute that is none."""
    names = ["my-code:Own", "2nd:Own", "mine:Outer.Inner", "mine:own-loss"]
    (tmp_path / "s.yaml").write_text("".join(f"key{i}: {{name: '{name}'}}\n" for i, name in enumerate(names)))
    assert foreign_code(tmp_path / "s.yaml") == tuple(names)
