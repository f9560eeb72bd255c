"""Bad tables: each is a DataError in ``outline``, before any trial, that names the file and the column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtlbench.core.errors import DataError
from mtlbench.core.metrics import MetricError
from mtlbench.problems.tables.tabular import Tabular

ROWS = 40
GOOD: dict[str, list[Any]] = {
    "x": [i * 0.5 for i in range(ROWS)],
    "colour": ["red", "green"] * (ROWS // 2),
    "y": [i % 7 for i in range(ROWS)],
    "kind": ["a", "b", "c", "d"] * (ROWS // 4),
    "part": (["train"] * 6 + ["validation"] * 2 + ["test"] * 2) * (ROWS // 10),
    "day": [f"2024-01-{1 + i % 30:02}" for i in range(ROWS)],
}


def fault(root: Path, columns: dict[str, list[Any]] | None = None, **spec: Any) -> str:
    """What ``outline`` says of the good table with some columns changed."""
    frame = pd.DataFrame({**GOOD, **(columns or {})})
    frame.to_csv(root / "table.csv", index=False)
    problem = Tabular.model_validate({"path": "table.csv", "targets": ["y"], **spec})
    with pytest.raises(DataError) as caught:
        problem.outline(root)
    assert str(caught.value).startswith(f"{root / 'table.csv'}: ")
    return str(caught.value)


def changed(name: str, row: int, value: object) -> dict[str, list[Any]]:
    """One column with one other value, in a row counted from 1."""
    return {name: [*GOOD[name][: row - 1], value, *GOOD[name][row:]]}


def test_the_good_table_is_good(tmp_path: Path) -> None:
    pd.DataFrame(GOOD).to_csv(tmp_path / "table.csv", index=False)
    spec = {"path": "table.csv", "targets": ["y", "kind"], "split": {"by": "column", "column": "part"}}
    assert Tabular.model_validate(spec).outline(tmp_path).rows == ROWS


@pytest.mark.parametrize("role", ["targets", "features", "drop", "categorical"])
def test_a_column_that_does_not_exist(tmp_path: Path, role: str) -> None:
    columns: dict[str, Any] = {role: ["colr"]}
    assert f"no column 'colr' for {role}; did you mean 'colour'?" in fault(tmp_path, **columns)


def test_other_columns_that_do_not_exist(tmp_path: Path) -> None:
    assert "no column 'prt' for split; did you mean 'part'?" in fault(tmp_path, split={"by": "column", "column": "prt"})
    assert "no column 'zzz' for group_by; expected one of colour, day" in fault(tmp_path, group_by="zzz")
    wide = {f"column {i}": [1] * ROWS for i in range(90)}
    assert "no column 'zzz' for targets; the file has 96 columns" in fault(tmp_path, wide, targets=["zzz"])


def test_text_in_a_numeric_column_names_row_and_value(tmp_path: Path) -> None:
    expected = "column 'x' holds numbers, but row 7 holds '1.5 kg' (1 such rows)"
    assert expected in fault(tmp_path, changed("x", 7, "1.5 kg"))
    assert "column 'y' holds numbers, but row 3 holds 'seven'" in fault(tmp_path, changed("y", 3, "seven"))
    assert "column 'kind' holds numbers, but row 1 holds 'a' (40" in fault(
        tmp_path, targets={"kind": {"kind": "regression"}}
    )


def test_advice_for_a_wrong_cell_fits_the_columns_role(tmp_path: Path) -> None:
    assert fault(tmp_path, changed("x", 7, "1.5 kg")).endswith("or list the column as categorical")
    advice = "state targets: {y: {kind: classification}}"
    assert fault(tmp_path, changed("y", 3, "seven")).endswith(advice)


def test_a_file_without_a_header_line(tmp_path: Path) -> None:
    data_as_names = {"13": [1] * ROWS}
    assert fault(tmp_path, data_as_names, targets=["income"]).endswith("without a header line needs columns: […]")
    assert "header line" not in fault(tmp_path, targets=["income"])


def test_decimal_commas_in_a_target(tmp_path: Path) -> None:
    for distinct in (ROWS, 21):  # also where values recur, as classes do
        commas = {"y": [f"{i % distinct},5" for i in range(ROWS)]}
        message = fault(tmp_path, commas)
        assert "target 'y' holds texts such as '0,5'" in message
        assert 'state decimal: ","' in message


def test_rows_left_out_are_counted(tmp_path: Path) -> None:
    columns = {**changed("y", 1, None), **changed("x", 7, "oops")}
    assert "row 7 holds 'oops'" in fault(tmp_path, columns)


@pytest.mark.parametrize("value", ["inf", "-inf", 1e39])
def test_numbers_that_are_not_finite(tmp_path: Path, value: object) -> None:
    assert "column 'x' holds numbers, but row 4 holds" in fault(tmp_path, changed("x", 4, value))


def test_labels_that_are_all_missing(tmp_path: Path) -> None:
    assert "target 'y' has no label: expected some, all 40 rows" in fault(tmp_path, {"y": [None] * ROWS})
    some = {"y": [None] * ROWS}
    assert "target 'y' has no label" in fault(tmp_path, some, targets=["y", "kind"])


def test_one_class_or_one_value_only(tmp_path: Path) -> None:
    only = {"kind": ["a"] * ROWS}
    assert "target 'kind' (binary) has one class only, 'a' in all 40" in fault(tmp_path, only, targets=["kind"])
    assert "target 'y' (regression) has one value only, '3'" in fault(tmp_path, {"y": [3] * ROWS})


def test_a_target_that_is_not_what_is_stated(tmp_path: Path) -> None:
    stated = {"kind": {"kind": "binary"}}
    assert "target 'kind' is stated binary: expected 2 classes, got 4 (a, b, c, d" in fault(tmp_path, targets=stated)
    names = {"kind": [f"patient {i}" for i in range(ROWS)]}
    assert "holds 40 different texts in 40 rows" in fault(tmp_path, names, targets=["kind"])


def test_a_metric_that_does_not_fit_what_is_inferred(tmp_path: Path) -> None:
    pd.DataFrame(GOOD).to_csv(tmp_path / "table.csv", index=False)
    wrong = {"kind": {"metrics": ["rmse"]}}
    with pytest.raises(MetricError, match="task 'kind': metric 'rmse' is for regression, not for classification: "):
        Tabular.model_validate({"path": "table.csv", "targets": wrong}).outline(tmp_path)


def test_fewer_rows_than_the_splits_need(tmp_path: Path) -> None:
    few = {name: values[:6] + [None] * (ROWS - 6) if name == "y" else values for name, values in GOOD.items()}
    assert "target 'y' has 6 labelled rows: expected at least 8" in fault(tmp_path, few, targets=["y", "kind"])
    assert "has 40 labelled rows: expected at least 150" in fault(
        tmp_path, split={"train": 0.98, "validation": 0.01, "test": 0.01}
    )


def test_more_classes_than_train_can_hold(tmp_path: Path) -> None:
    assert "target 'x': expected every class in train" in fault(tmp_path, targets={"x": {"kind": "classification"}})


def test_missing_values_that_are_refused(tmp_path: Path) -> None:
    columns = {**changed("x", 2, None), **changed("colour", 3, "?")}
    message = fault(tmp_path, columns, missing="error")
    assert "2 values are missing, in columns x (1), colour (1); expected none (missing: error)" in message


def test_a_column_of_split_names(tmp_path: Path) -> None:
    by_column = {"by": "column", "column": "part"}
    wrong = fault(tmp_path, changed("part", 9, "dev"), split=by_column)
    assert "column 'part': expected train, validation or test, got 'dev' in row 9 (1 such rows)" in wrong
    none = {"part": ["train" if part == "validation" else part for part in GOOD["part"]]}
    assert "target 'y': expected labelled rows in each split, got none in validation" in fault(
        tmp_path, none, split=by_column
    )
    late = {"kind": ["late" if part == "test" else "ab"[i % 2] for i, part in enumerate(GOOD["part"])]}
    assert "target 'kind': expected every class in train, got none of 'late'" in fault(
        tmp_path, late, targets=["kind"], split=by_column
    )


def test_a_column_of_time(tmp_path: Path) -> None:
    by_time = {"by": "time", "column": "day"}
    assert (
        "column 'day': expected a number or an ISO date such as 2024-01-31 in each row, got 'soon' in row 5"
        in fault(tmp_path, changed("day", 5, "soon"), split=by_time)
    )
    assert "got 'nan' in row 5" in fault(tmp_path, changed("day", 5, None), split=by_time)
    assert "got none in train (split by time" in fault(tmp_path, {"day": ["2024-01-01"] * ROWS}, split=by_time)


def test_groups_too_small_or_too_many(tmp_path: Path) -> None:
    message = fault(tmp_path, group_by="day")
    assert "column 'day': expected groups of at least 10 labelled rows (min_rows), the largest of 30 has 2" in message
    assert "target 'day=2024-01-01' has 2 labelled rows: expected at least 8" in fault(
        tmp_path, group_by="day", min_rows=2
    )


def test_no_feature_is_left(tmp_path: Path) -> None:
    message = fault(tmp_path, {"x": [None] * ROWS}, features=["x"])
    assert "expected at least one feature column beside y; features without any value are left out: x" in message


def test_values_far_from_train_fail_when_they_are_met(tmp_path: Path) -> None:
    x = [1e-30 * i for i in range(ROWS)]
    x[9] = 1e30
    assert GOOD["part"][9] == "test"
    pd.DataFrame({**GOOD, "x": x}).to_csv(tmp_path / "table.csv", index=False)
    spec = {"path": "table.csv", "targets": ["y"], "split": {"by": "column", "column": "part"}}
    with pytest.raises(DataError, match="column 'x' has values too far from its training rows"):
        Tabular.model_validate(spec).load(0, tmp_path)
