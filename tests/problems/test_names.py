"""Names of columns: how a suite's mistakes are named, and that the same letters are the same name."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from mtlbench.core.errors import DataError, SuiteError
from mtlbench.plan.reading import read_suite
from mtlbench.problems.tables.tabular import Tabular
from mtlbench.problems.text.corpora import Corpus

SUITE = """\
suite: names
problem: {{name: tabular, path: d.csv, {keys}}}
architecture: shared
methods: {{equal: {{weighting: equal}}}}
optimizer: {{name: adam, lr: 0.1}}
train: {{epochs: 1, batch_size: 4}}
"""
COMPOSED = unicodedata.normalize("NFC", "prix d'été")
APART = unicodedata.normalize("NFD", COMPOSED)


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ("targets: [1, 2]", "problem.targets: expected names of columns, got 1; quote it: '1'"),
        ("targets: [y, true]", "problem.targets: expected names of columns, got true; quote it: 'true'"),
        ("targets: y", "problem.targets: expected a list of columns, got 'y'; write [y]"),
        ("targets: [y, y]", "problem.targets: expected different names, got 'y' 2 times"),
        ("targets: [y], features: [a, 7]", "problem.features[1]: expected text, got 7; quote it: '7'"),
        ("targets: [y], features: a", "problem.features: expected a list, got 'a'; write [a]"),
        ("targets: [y], features: [a, a]", "problem.features: expected different names, got 'a' 2 times"),
        ("targets: [y], columns: [1, y]", "problem.columns[0]: expected text, got 1; quote it: '1'"),
        ("targets: [y], columns: y", "problem.columns: expected a list, got 'y'; write [y]"),
        ("targets: [y], drop: 2.5", "problem.drop: expected a list, got 2.5; write [2.5]"),
        ("targets: [y], group_by: 3", "problem.group_by: expected text, got 3; quote it: '3'"),
        ("targets: [y], split: {by: time, column: 3}", "problem.split.column: expected text, got 3; quote it: '3'"),
    ],
)
def test_the_true_fault_is_named_alone(keys: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SUITE.format(keys=keys), encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        read_suite(path)
    assert [issue.message for issue in caught.value.issues] == [fault]


def table(folder: Path, header: list[str], **keys: Any) -> Tabular:
    rows = [",".join([f"{i}.5", str(i % 2), str(i % 3)]) for i in range(30)]
    (folder / "d.csv").write_text("\n".join([",".join(header), *rows]), encoding="utf-8")
    return Tabular.from_plain({"path": "d.csv", **keys})


@pytest.mark.parametrize("written", [COMPOSED, APART])
@pytest.mark.parametrize("stored", [COMPOSED, APART])
def test_two_forms_of_the_same_letters_are_one_column(stored: str, written: str, tmp_path: Path) -> None:
    roles: list[dict[str, Any]] = [{"targets": [written]}, {"targets": {written: {}}}]
    for role in [*roles, {"targets": ["b"], "features": [written]}]:
        outline = table(tmp_path, [stored, "b", "c"], **role).outline(tmp_path)
        assert outline.names == ((COMPOSED,) if written in role["targets"] else ("b",))
    split = {"by": "time", "column": written}
    assert table(tmp_path, [stored, "b", "c"], targets=["b"], split=split, drop=[written]).outline(tmp_path)
    (tmp_path / "t.csv").write_text(f"{stored},label\nhello,a\n", encoding="utf-8")
    assert Corpus(train="t.csv", text=written).read(tmp_path)["train"][0].text == "hello"


def test_two_columns_that_look_alike_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"different column names, got '{COMPOSED}' 2 times"):
        table(tmp_path, [COMPOSED, APART, "c"], targets=["c"]).outline(tmp_path)
    (tmp_path / "t.csv").write_text(f"{COMPOSED},{APART},label\nx,y,a\n", encoding="utf-8")
    with pytest.raises(DataError, match="got 2 of that name"):
        Corpus(train="t.csv", text=APART).read(tmp_path)
    with pytest.raises(ValueError, match="expected different names"):
        table(tmp_path, ["a", "b", "c"], targets={COMPOSED: {}, APART: {}})
