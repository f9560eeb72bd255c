from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlbench.core.errors import DataError
from mtlbench.problems.tables.columns import categories, is_numeric, numbers, times
from mtlbench.problems.tables.read import Reading, read_table
from mtlbench.problems.tables.tabular import MISSING, Tabular

PLAIN: dict[str, Any] = {
    "format": None, "delimiter": None, "decimal": ".", "encoding": "utf-8", "columns": None, "missing": MISSING,
}  # fmt: skip


def read(path: Path, content: str | bytes, **how: Any) -> pd.DataFrame:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, Reading(**{**PLAIN, **how}))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(tmp_path: Path, delimiter: str) -> None:
    lines = ['name,"size, cm",a b', '"Doe, J",1.5,x', '"Roe; R",2,y']
    content = "\n".join(line.replace('",', f'"{delimiter}').replace("e,a", "e" + delimiter + "a") for line in lines)
    content = (
        content.replace("name,", f"name{delimiter}").replace("1.5,", f"1.5{delimiter}").replace("2,", f"2{delimiter}")
    )
    frame = read(tmp_path / "a.csv", content)
    assert list(frame.columns) == ["name", "size, cm", "a b"]
    assert frame["name"].tolist() == ["Doe, J", "Roe; R"]
    assert frame["size, cm"].tolist() == [1.5, 2]


def test_what_spreadsheets_write(tmp_path: Path) -> None:
    frame = read(tmp_path / "a.csv", "\ufeffx;y\r\n1,5; ja \r\n;nein\r\n\r\n", decimal=",")
    assert list(frame.columns) == ["x", "y"]
    assert frame["x"].tolist()[0] == 1.5
    assert np.isnan(frame["x"][1])
    assert frame["y"].tolist() == ["ja", "nein"]


def test_missing_values_are_those_stated(tmp_path: Path) -> None:
    content = "a,b\n1,?\nNA,None\n , x\n-9,null\n"
    frame = read(tmp_path / "a.csv", content)
    assert frame["a"].isna().tolist() == [False, True, True, False]
    assert frame["b"].tolist()[1:3] == ["None", "x"]
    assert frame["b"].isna().tolist() == [True, False, False, True]
    frame = read(tmp_path / "b.csv", "a\n-9\n1\n", missing=("-9",))
    assert frame["a"].isna().tolist() == [True, False]


def test_gzip_latin1_and_no_header(tmp_path: Path) -> None:
    frame = read(
        tmp_path / "a.data.gz", gzip.compress("1 é\n2 ü\n".encode("latin-1")),
        encoding="latin-1", columns=("n", "letter"), delimiter=" ",
    )  # fmt: skip
    assert frame.to_dict("list") == {"n": [1, 2], "letter": ["é", "ü"]}


def test_parquet_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "word": ["a", None, " b"],
            "level": pd.Categorical(["2", "10", None]),
            "day": pd.to_datetime(["1970-01-02", "1970-01-04", "NaT"]),
        },
        index=[7, 8, 9],
    )
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    found = read_table(path, Reading(**PLAIN))
    assert list(found.columns) == [*frame.columns, "unnamed_6"]
    assert numbers(path, found["n"]) == pytest.approx([1, np.nan, 3], nan_ok=True)
    assert numbers(path, found["flag"]) == pytest.approx([1, np.nan, 0], nan_ok=True)
    assert numbers(path, found["day"]) == pytest.approx([1, 3, np.nan], nan_ok=True)
    assert categories(found["word"])[1] == ("a", "b")
    assert categories(found["level"])[0].tolist() == [0, 1, -1]
    assert [is_numeric(found[name]) for name in frame] == [True, True, False, False, True]


ARFF = """\
% comment
@RELATION 'a relation'
@attribute 'a number' REAL [0,9]
@attribute colour{red, 'dark blue', "green"}
@attribute note string
@attribute 'isn\\'t' integer

@DATA
1.5, red, 'one, two', 3
?, 'dark blue', ?, 4   % none
% comment

-2e3,\t"green", plain, ?
{1 'dark blue', 2 "a, b"}
"""


def test_arff(tmp_path: Path) -> None:
    frame = read(tmp_path / "a.arff", ARFF.replace("   % none", ""))
    assert list(frame.columns) == ["a number", "colour", "note", "isn't"]
    assert frame["a number"].to_numpy() == pytest.approx([1.5, np.nan, -2000, 0], nan_ok=True)
    assert frame["isn't"].to_numpy() == pytest.approx([3, 4, np.nan, 0], nan_ok=True)
    assert frame["colour"].tolist() == ["red", "dark blue", "green", "dark blue"]
    assert frame["note"].fillna("gone").tolist() == ["one, two", "gone", "plain", "a, b"]
    assert not is_numeric(frame["colour"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-2e3", "many", "a.arff:13: attribute 'a number' is declared numeric, got 'many'"),
        ('"green", plain', "pink, plain", "a.arff:13: attribute 'colour': expected one of red, dark blue, green, got"),
        ("1.5, ", "1.5, 2, ", "a.arff:9: expected 4 values, got 5"),
        ("'one, two'", "'one, two", "a.arff:9: expected closed quotes"),
        ("{1 'dark", "{9 'dark", "a.arff:14: expected a place from 0 to 3, got '9'"),
        ("REAL [0,9]", "relational", "a.arff:3: expected @attribute NAME with"),
        ("% comment\n@R", "a,b\n@R", "a.arff:1: expected @relation, @attribute or @data, got 'a,b'"),
        ("@DATA", "", "expected @relation, @attribute or @data"),
        ("note string", "colour string", "got 'colour' 2 times"),
    ],
)
def test_arff_faults_name_the_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "a.arff", ARFF.replace("   % none", "").replace(old, new, 1))
    assert message in str(caught.value)


def test_arff_without_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="with a line @data"):
        read(tmp_path / "a.arff", "@relation r\n@attribute a numeric\n")
    with pytest.raises(DataError, match="expected @attribute lines before @data"):
        read(tmp_path / "a.arff", "@relation r\n@data\n")
    with pytest.raises(DataError, match="no rows"):
        read(tmp_path / "a.arff", "@relation r\n@attribute a numeric\n@data\n")


@pytest.mark.parametrize("name", ["enb.arff", "sf1.arff", "wq.arff.gz"])
def test_mulan_as_scipy_reads_it(real_data: Path, tmp_path: Path, name: str) -> None:
    from scipy.io import arff

    path = real_data / "mulan_multi_target" / name
    content = gzip.decompress(path.read_bytes()) if name.endswith("gz") else path.read_bytes()
    (tmp_path / "plain.arff").write_bytes(content)
    expected = pd.DataFrame(arff.loadarff(tmp_path / "plain.arff")[0])
    found = read_table(path, Reading(**PLAIN))
    assert list(found.columns) == list(expected.columns)
    for column in found:
        theirs = expected[column]
        theirs = theirs if theirs.dtype == "float64" else theirs.str.decode("utf-8")
        assert found[column].tolist() == theirs.tolist()


def test_mulan_missing_values(real_data: Path) -> None:
    frame = read_table(real_data / "mulan_multi_target" / "scpf.arff", Reading(**PLAIN))
    text = (real_data / "mulan_multi_target" / "scpf.arff").read_text().split("@data")[1]
    assert frame.isna().sum().sum() == text.count("?")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty file"),
        (b" \n\n", "got an empty file"),
        (b"a,b\n", "a header and no rows"),
        (b"a,b,a\n1,2,3\n", "expected different column names, got 'a' 2 times"),
        (b"1.0,2.0\n3.0,4.0\n", "expected column names in the first line, got numbers only"),
        (b"a,b\n1,2\n3,4,5\n", "Expected 2 fields in line 3, saw 3"),
        (b"a,b\n1,2,3\n4,5,6\n", "expected 2 fields in each row"),
        (b"a,b,c\n1,2,\n\n3,4\n", "expected 3 fields in each row, as many as column names, got 2 in line 4"),
        (b'a,b,c\n1,"2\n\n",\n3\n', "got 1 in line 5"),
        (b"MATLAB 5.0 MAT-file" + b" " * 105 + b"\0\1IM", "expected a CSV, Parquet or ARFF file, got a binary one"),
        (b'a,b\n1,"2\n3,4\n', "expected a CSV table"),
        (b"a,b\n\xff\xfe,2\n", "expected text in utf-8, got byte 0xff at position 4; state the file's encoding"),
        (b"\x89PNG\r\n\x1a\n\0\0", "expected text in utf-8, got byte 0x89"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-5], "expected a whole gzip file"),
    ],
)
def test_csv_faults(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "a.csv", content)
    assert str(caught.value).startswith(str(tmp_path / "a.csv"))
    assert message in str(caught.value)


def test_other_faults_of_reading(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown encoding 'utf-88'"):
        read(tmp_path / "a.csv", "a\n1\n", encoding="utf-88")
    with pytest.raises(DataError, match="expected 3 fields, one for each of columns, got 2"):
        read(tmp_path / "a.csv", "1,2\n", columns=("a", "b", "c"))
    for content in (b"", b"a,b\n1,2\n", b"PAR1" + b"\0" * 20 + b"PAR1"):
        with pytest.raises(DataError, match=r"a\.parquet: expected a Parquet file"):
            read(tmp_path / "a.parquet", content)
    pd.DataFrame({"a": [[1], [2]]}).to_parquet(tmp_path / "nested.parquet")
    with pytest.raises(DataError, match="column 'a' holds lists"):
        read_table(tmp_path / "nested.parquet", Reading(**PLAIN))


def test_a_delimiter_at_the_end_of_each_row_is_harmless(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "a,b\n1,2,\n3,4,\n").to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_rows_whose_last_fields_are_empty_are_not_short(tmp_path: Path) -> None:
    frame = read(tmp_path / "a.csv", "a,b,c\n1,,\n \n,,\n2,3,4\n")
    assert frame["b"].isna().tolist() == [True, True, False]
    frame = read(tmp_path / "a.csv", "a,b,\n1,2\n3,4\n")
    assert frame["b"].tolist() == [2, 4]
    assert read(tmp_path / "a.csv", "a,b\nx,\n" + "y" * 200_000 + ",1\n")["b"].isna().tolist() == [True, False]


def test_utf16_is_no_binary_file(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "a,b\n1,2\n".encode("utf-16"), encoding="utf-16").to_dict("list") == {
        "a": [1], "b": [2]
    }  # fmt: skip


def test_unnamed_columns_are_named_by_their_place(tmp_path: Path) -> None:
    assert list(read(tmp_path / "a.csv", ",x\n0,1\n").columns) == ["unnamed_1", "x"]


def test_categories_are_ordered_as_numbers_if_they_are(tmp_path: Path) -> None:
    column = pd.Series([10.0, 9.0, np.nan, 10.0])
    assert categories(column)[1] == ("9", "10")
    assert categories(column)[0].tolist() == [1, 0, -1, 1]
    assert categories(pd.Series(["b", "a", "10"]))[1] == ("10", "a", "b")


def test_times_order_numbers_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    dates = pd.Series(["2024-01-31", "2023-12-01T10:00:00", "2024-01-31T00:00:01+00:00"], name="day")
    assert np.argsort(times(path, dates)).tolist() == [1, 0, 2]
    assert times(path, pd.Series([2024, 1999])).tolist() == [2024, 1999]
    with pytest.raises(
        DataError, match=r"a\.csv: column 'day': expected a number or an ISO date .* got '31/1/2024' in"
    ):
        times(path, pd.Series(["2024-01-01", "31/1/2024"], name="day"))


def test_zeros_and_ones_in_text_are_binary(tmp_path: Path) -> None:
    pd.DataFrame({"x": range(40), "sick": ["0", "1"] * 20}).to_parquet(tmp_path / "a.parquet")
    outline = Tabular.model_validate({"path": "a.parquet", "targets": ["sick"]}).outline(tmp_path)
    assert "inferred binary: sick (positive class '1')" in outline.notes


def test_decimal_commas_in_a_feature_are_noted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x;c;y\n" + "".join(f"{i},5;{'uv'[i % 2]};{i}\n" for i in range(40)))
    spec = {"path": "a.csv", "targets": ["y"]}
    notes = " ".join(Tabular.model_validate(spec).outline(tmp_path).notes)
    assert 'state decimal: "," if they are numbers: x' in notes
    assert "decimal" not in " ".join(Tabular.model_validate({**spec, "decimal": ","}).outline(tmp_path).notes)
