from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mtlbench.core.errors import DataError
from mtlbench.core.losses import LOSSES, losses_for
from mtlbench.core.metrics import misfit
from mtlbench.core.task import Data
from mtlbench.problems.tables import tasks as tabular_tasks
from mtlbench.problems.tables.tabular import Tabular
from tests.toy_data import in_memory, shared_inputs

ADULT = "age,job,weight,education,years,marital,occupation,relation,race,sex,gain,loss,hours,country,income"
RNG = np.random.default_rng(0)
N = 200
FRAME = pd.DataFrame(
    {
        "x": RNG.normal(5, 3, N),
        "colour": RNG.choice(["red", "green", "blue"], N),
        "shop": RNG.choice(["a", "b", "c"], N),
        "day": pd.date_range("2024-01-01", periods=N).astype(str).to_numpy()[RNG.permutation(N)],
        "price": RNG.normal(100, 20, N),
        "grade": RNG.choice(["low", "mid", "high"], N),
        "sick": RNG.integers(0, 2, N),
    }
)
Make = Callable[..., Tabular]


@pytest.fixture
def table(tmp_path: Path) -> Make:
    """A problem on a frame written as CSV."""

    def make(frame: pd.DataFrame = FRAME, **spec: Any) -> Tabular:
        frame.to_csv(tmp_path / "table.csv", index=False)
        return Tabular.model_validate({"path": "table.csv", **spec})

    return make


def in_units(data: Data, split: str, task: str) -> np.ndarray:
    spec = next(spec for spec in data.outline.tasks if spec.name == task)
    values: np.ndarray = getattr(data, split).targets[task][:, 0] * spec.scale + spec.offset
    return values


def rows_of(data: Data, split: str) -> pd.DataFrame:
    """The rows of FRAME that a split holds, in its order, found by their prices."""
    distance = np.abs(in_units(data, split, "price")[:, None] - FRAME["price"].to_numpy())
    assert distance.min(axis=1).max() < 1e-4
    rows: pd.DataFrame = FRAME.iloc[distance.argmin(axis=1)]
    return rows


def test_kinds_are_inferred_and_noted(table: Make, tmp_path: Path) -> None:
    outline = table(targets=["price", "grade", "sick"], drop=["day"]).outline(tmp_path)
    assert [task.loss for task in outline.tasks] == ["mse", "cross_entropy", "bce_with_logits"]
    assert outline.tasks[1].classes == ("high", "low", "mid")
    assert outline.input_shape == (1 + 3 + 3,)
    assert outline.notes == (
        "inferred regression: price",
        "inferred classification: grade (3 classes)",
        "inferred binary: sick (positive class '1')",
        "split by default: stratified",
    )


def test_one_category_against_all_others(table: Make, tmp_path: Path) -> None:
    frame = FRAME.assign(grade=FRAME["grade"].where(FRAME.index % 7 > 0))
    data = table(frame, targets={"price": {}, "grade": {"positive": "low"}}, drop=["day"]).load(0, tmp_path)
    spec = data.outline.tasks[1]
    assert (spec.loss, spec.outputs, spec.classes) == ("bce_with_logits", 1, ("not low", "low"))
    grades = frame.loc[rows_of(data, "train").index, "grade"]
    train = in_memory(data.train)
    assert (train.masks["grade"] == grades.notna()).all()
    assert (train.targets["grade"] == (grades == "low")).all()
    with pytest.raises(DataError, match=r"no category 'Low' \(positive\); did you mean 'low'"):
        table(targets={"grade": {"positive": "Low"}}, drop=["day"]).outline(tmp_path)


def test_kinds_can_be_stated(table: Make, tmp_path: Path) -> None:
    frame = FRAME.assign(sick=FRAME["sick"].astype(float), stars=RNG.integers(1, 4, N) * 1.0)
    targets = {
        "sick": {"kind": "classification"},
        "stars": {"kind": "classification", "metrics": ["macro_f1"]},
        "price": {"loss": "l1", "unit": "€"},
        "grade": {},
    }
    outline = table(frame, targets=targets, drop=["day"], split={"by": "random"}).outline(tmp_path)
    assert [(task.outputs, task.loss) for task in outline.tasks[:2]] == [(2, "cross_entropy"), (3, "cross_entropy")]
    assert outline.tasks[0].classes == ("0", "1")
    assert outline.tasks[1].metrics == ("macro_f1",)
    assert (outline.tasks[2].loss, outline.tasks[2].unit) == ("l1", "€")
    assert outline.notes == ("inferred classification: grade (3 classes)",)


def test_rows_keep_their_labels_and_standardisation_sees_train_alone(table: Make, tmp_path: Path) -> None:
    data = table(targets=["price"], features=["x", "colour"]).load(0, tmp_path)
    train = rows_of(data, "train")
    levels = train["colour"].value_counts()
    for split in ("train", "validation", "test"):
        rows, inputs = rows_of(data, split), getattr(data, split).inputs
        expected = (rows["x"] - train["x"].mean()) / train["x"].std(ddof=0)
        assert inputs[:, 0] == pytest.approx(expected.to_numpy(), abs=1e-4)
        assert levels[levels.index[0]] > levels[levels.index[1]] > levels[levels.index[2]]
        assert (inputs[:, 1:] == (rows["colour"].to_numpy()[:, None] == levels.index.to_numpy())).all()


def levels_by_column(data: Data, column: int) -> set[float]:
    return {level for part in (data.train, data.validation, data.test) for level in shared_inputs(part)[:, column]}


def test_levels_unknown_to_train_are_zeros_and_rare_ones_share_the_zero(table: Make, tmp_path: Path) -> None:
    frame = FRAME.assign(part=["train"] * 120 + ["validation"] * 40 + ["test"] * 40)
    frame["word"] = ["often"] * 60 + ["seldom"] * 40 + ["rare"] * 20 + ["new"] * 80
    spec = {"targets": ["price"], "features": ["word"], "split": {"by": "column", "column": "part"}}
    data = table(frame, **spec).load(0, tmp_path)
    assert data.outline.input_shape == (4,)
    assert shared_inputs(data.train).sum(axis=1).tolist() == [1] * 120
    assert (shared_inputs(data.test) == 0).all()
    capped = table(frame, **spec, max_levels=2)
    assert any("'word': 4 levels, the 2 most frequent" in note for note in capped.outline(tmp_path).notes)
    assert shared_inputs(capped.load(0, tmp_path).train).sum(axis=0).tolist() == [60, 40]


def test_gaps_are_filled_from_train_and_marked(table: Make, tmp_path: Path) -> None:
    frame = FRAME.assign(part=(["train"] * 3 + ["validation"] + ["test"]) * 40)
    frame.loc[::7, "x"] = np.nan
    frame.loc[:50, "colour"] = "blue"
    frame.loc[::9, "colour"] = None
    frame["late"] = np.where(frame["part"] == "test", np.nan, frame["x"].fillna(0))
    problem = table(
        frame, targets=["price"], features=["x", "colour", "late"], split={"by": "column", "column": "part"}
    )
    data = problem.load(0, tmp_path)
    assert data.outline.input_shape == (2 + 4 + 2,)
    assert "missing values imputed" in data.outline.notes[-1]
    train = frame[frame["part"] == "train"]
    inputs = shared_inputs(data.train)
    gaps = train["x"].isna().to_numpy()
    assert (inputs[:, 1] == gaps).all()
    filled = train["x"].fillna(train["x"].median())
    assert inputs[:, 0] == pytest.approx(((filled - filled.mean()) / filled.std(ddof=0)).to_numpy(), abs=1e-4)
    missing = train["colour"].isna().to_numpy()
    assert (inputs[:, 5] == missing).all()
    blue = (train["colour"].fillna("blue") == "blue").to_numpy()
    assert (inputs[:, 2] == blue).all()
    assert levels_by_column(data, 7) == {0.0}  # train has no gap in 'late': nothing to learn an indicator from


def test_missing_labels_are_masked_per_task(table: Make, tmp_path: Path) -> None:
    frame = FRAME.copy()
    frame.loc[::4, "price"] = np.nan
    frame.loc[1::4, "grade"] = None
    frame.loc[:1, ["price", "grade"]] = None
    problem = table(frame, targets=["price", "grade"], features=["x"])
    data = problem.load(0, tmp_path)
    assert data.outline.rows == N - 2
    assert "2 rows without any label are left out" in data.outline.notes
    for task, known in (("price", frame["price"].notna().sum()), ("grade", frame["grade"].notna().sum())):
        assert sum(in_memory(split).masks[task].sum() for split in (data.train, data.validation, data.test)) == known
    shares = [in_memory(split).masks["price"].mean() for split in (data.train, data.validation, data.test)]
    assert np.ptp(shares) < 0.05  # the pattern of labels is stratified


def test_groups_become_tasks(table: Make, tmp_path: Path) -> None:
    frame = FRAME.copy()
    frame.loc[:3, "shop"] = "tiny"
    frame.loc[4, "shop"] = None
    data = table(frame, targets=["price"], group_by="shop", drop=["day"]).load(0, tmp_path)
    assert data.outline.names == ("shop=a", "shop=b", "shop=c")
    assert "1 of 4 groups have fewer than 10 labelled rows and are left out" in data.outline.notes
    assert "1 rows without a 'shop' are left out" in data.outline.notes
    assert len({(task.scale, task.offset) for task in data.outline.tasks}) == 1
    for split in (data.train, data.validation, data.test):
        assert (np.sum(list(in_memory(split).masks.values()), axis=0) == 1).all()
    for task in data.outline.names:
        mask = in_memory(data.test).masks[task]
        expected = frame["price"][frame["shop"] == task[-1]].to_numpy()
        assert all(np.abs(expected - value).min() < 1e-3 for value in in_units(data, "test", task)[mask])
    assert data.outline.input_shape == (1 + 3 + 3 + 1,)  # grade and sick are features here, shop is not


def test_groups_of_classes(table: Make, tmp_path: Path) -> None:
    frame = FRAME.assign(sick=FRAME["sick"].where(FRAME["shop"] != "a", 0))
    outline = table(frame, targets=["sick"], group_by="shop", drop=["day"]).outline(tmp_path)
    assert {task.loss for task in outline.tasks} == {"bce_with_logits"}
    assert "1 of 3 groups hold one class only" in outline.notes


def test_split_by_time_goes_from_past_to_future(table: Make, tmp_path: Path) -> None:
    frame = FRAME.assign(day=[str(day)[:10] for day in pd.to_datetime(FRAME["day"]).dt.to_period("W").dt.start_time])
    problem = table(frame, targets=["price"], features=["x"], split={"by": "time", "column": "day"})
    data = problem.load(0, tmp_path)
    days = [set(frame["day"][rows_of(data, split).index]) for split in ("train", "validation", "test")]
    assert max(days[0]) < min(days[1]) <= max(days[1]) < min(days[2])
    assert (shared_inputs(problem.load(1, tmp_path).test) == shared_inputs(data.test)).all()


def test_split_stratified_by_a_number(table: Make, tmp_path: Path) -> None:
    split = {"by": "stratified", "column": "price"}
    data = table(targets=["price", "grade"], features=["x"], split=split).load(0, tmp_path)
    edges = np.quantile(FRAME["price"], np.arange(1, 10) / 10)
    found = np.bincount(np.searchsorted(edges, in_units(data, "test", "price")), minlength=10)
    assert np.abs(found - 4).max() <= 1


def test_a_class_of_one_row_is_trained_on_by_every_seed(table: Make, tmp_path: Path) -> None:
    frame = FRAME.copy()
    frame.loc[7, "grade"] = "unique"
    for by in ("random", "stratified"):
        problem = table(frame, targets=["sick", "grade"], features=["x"], split={"by": by})
        for seed in range(10):
            assert set(in_memory(problem.load(seed, tmp_path).train).targets["grade"]) == {0, 1, 2, 3}


def test_features_that_say_nothing_are_left_out_and_noted(table: Make, tmp_path: Path) -> None:
    frame = FRAME.assign(name=[f"n{i}" for i in range(N)], empty=np.nan)
    frame.insert(0, "", range(N))
    outline = table(frame, targets=["price"], drop=["day"]).outline(tmp_path)
    assert "columns without a name are left out: unnamed_1" in outline.notes
    assert "features without any value are left out: empty" in outline.notes
    assert "text features that differ in each row are left out: name" in outline.notes
    assert outline.input_shape == (1 + 3 + 3 + 3 + 1,)


def test_numbers_that_are_codes(table: Make, tmp_path: Path) -> None:
    assert table(targets=["price"], features=["sick"], categorical=["sick"]).outline(tmp_path).input_shape == (2,)


def test_a_changed_file_is_read_again(table: Make, tmp_path: Path) -> None:
    assert table(targets=["price"], features=["x"]).outline(tmp_path).rows == N
    assert table(FRAME[:50], targets=["price"], features=["x"]).outline(tmp_path).rows == 50


@pytest.mark.parametrize("form", ["parquet", "arff"])
def test_formats_give_the_same_data(table: Make, tmp_path: Path, form: str) -> None:
    spec = {"targets": ["price", "grade"], "features": ["x", "colour", "sick"]}
    expected = table(**spec).load(0, tmp_path)
    if form == "parquet":
        FRAME.to_parquet(tmp_path / "table.parquet")
    else:
        kinds = {"x": "real", "price": "real", "sick": "integer", "grade": "{low,mid,high}"}
        head = "".join(f"@attribute {name} {kinds.get(name, 'string')}\n" for name in map(str, FRAME))
        rows = FRAME.to_csv(index=False, header=False)
        (tmp_path / "table.arff").write_text(f"@relation t\n{head}@data\n{rows}")
    found = Tabular.model_validate({"path": f"table.{form}", **spec}).load(0, tmp_path)
    assert (found.outline.input_shape, found.outline.notes) == (expected.outline.input_shape, expected.outline.notes)
    # pandas < 3 rounds the last bit of CSV
    assert shared_inputs(found.train) == pytest.approx(shared_inputs(expected.train), abs=1e-6)
    assert in_units(found, "test", "price") == pytest.approx(in_units(expected, "test", "price"))
    assert (in_memory(found.test).targets["grade"] == in_memory(expected.test).targets["grade"]).all()


def test_adult(real_data: Path) -> None:
    problem = Tabular.model_validate(
        {"path": "adult/adult.data.gz", "columns": ADULT.split(","), "targets": ["income", "marital"]}
    )
    data = problem.load(0, real_data)
    assert data.outline.rows == 32_561
    assert "4262 missing values imputed" in " ".join(data.outline.notes)
    assert data.outline.tasks[0].classes == ("<=50K", ">50K")
    rates = [in_memory(split).targets["income"].mean() for split in (data.train, data.validation, data.test)]
    assert rates == pytest.approx([0.2408] * 3, abs=1e-3)


def test_the_usual_metrics_of_every_loss_fit_its_kind() -> None:
    for kind in tabular_tasks.KINDS:
        assert not any(misfit(metric, kind) for loss in losses_for(kind) for metric in LOSSES[loss].metrics)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"targets": []}, "targets"),
        ({"targets": "y"}, "expected a list of columns"),
        ({"targets": {"y": {"kind": "binary", "loss": "mse"}}}, r"expected a loss for binary \(bce_with_logits\)"),
        ({"targets": {"y": {"kind": "regression", "positive": "a"}}}, "expected kind: binary beside positive"),
        (
            {"targets": {"y": {"kind": "regression", "metrics": ["auc"]}}},
            "'auc' is for binary or classification",
        ),
        ({"targets": {"y": {"metrics": ["acuracy"]}}}, "unknown metric 'acuracy', did you mean 'accuracy'"),
        ({"targets": {"y": {"metrics": ["f1_macro"]}}}, "scikit-learn's scorer of that name is 'sklearn:f1_macro'"),
        ({"targets": {"y": {"loss": "mse", "metrics": ["sklearn:f1"]}}}, "'sklearn:f1' is for binary or"),
        ({"targets": ["y"], "features": ["y"]}, "one role, got 'y'"),
        ({"targets": ["y"], "drop": ["y"]}, "one role"),
        ({"targets": ["y", "z"], "group_by": "g"}, "exactly one target"),
        ({"targets": ["y"], "split": {"by": "time"}}, "expected a column to split by time"),
        ({"targets": ["y"], "split": {"by": "random", "column": "c"}}, "expected no column"),
        ({"targets": ["y"], "split": {"by": "stratified", "column": "c"}}, "expected split.column to be a target"),
        ({"targets": ["y"], "split": {"train": 0.9}}, "= 1, got"),
    ],
)
def test_wrong_configurations(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Tabular.model_validate({"path": "a.csv", **spec})


def test_test_rows_that_repeat_training_rows_are_said(table: Make, tmp_path: Path) -> None:
    gaps = FRAME.assign(x=FRAME["x"].mask(FRAME.index % 5 == 0))
    twice = pd.concat([gaps, gaps.iloc[:50]])
    problem = table(twice, targets=["price", "grade"], drop=["day"])
    outline = problem.outline(tmp_path)
    (note,) = [note for note in outline.notes if "copies" in note]
    data = problem.load(0, tmp_path)
    assert data.outline.notes == problem.load(1, tmp_path).outline.notes == outline.notes
    train, test = (
        np.hstack([shared_inputs(part), in_memory(part).targets["price"]]) for part in (data.train, data.test)
    )
    seen = len([row for row in test if (row == train).all(axis=1).any()])
    assert 0 < seen < 50
    assert note == (
        f"50 of 250 rows repeat an earlier one, features and labels alike; with seed 0, {seen} of 50 test rows "
        f"({seen / 50:.0%}) are copies of training rows"
    )


@pytest.mark.parametrize("changes", [{"price": RNG.normal(0, 1, N)}, {"x": RNG.normal(0, 1, N)}, {"shop": "d"}])
def test_rows_that_differ_in_a_label_a_feature_or_their_group_are_no_copies(
    table: Make, tmp_path: Path, changes: dict[str, Any]
) -> None:
    problem = table(pd.concat([FRAME, FRAME.assign(**changes)]), targets=["price"], group_by="shop", drop=["day"])
    assert not [note for note in problem.outline(tmp_path).notes if "copies" in note]
