"""How a suite chooses losses, and that the choice reaches the training and every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from jsonschema import ValidationError as SchemaError
from jsonschema import validate
from pydantic import TypeAdapter, ValidationError

import mtlbench
from mtlbench.core.losses import LOSSES, losses_for
from mtlbench.problems.images.boxes import Boxes
from mtlbench.problems.images.dense import Dense
from mtlbench.problems.losses import ChosenLoss, NumbersLoss, VectorsLoss
from mtlbench.problems.tables.tabular import Tabular

LOSS: TypeAdapter[ChosenLoss] = TypeAdapter(VectorsLoss)
SUITE = """\
suite: knees
problem:
  - {name: tabular, path: table.csv, targets: {y: {loss: LOSS}, z: {}}, label: usual}
  - {name: tabular, path: table.csv, targets: {y: {loss: {name: LOSS, PARAMETER: 0.2}}, z: {}}, label: other}
architecture: {name: shared, hidden: [8]}
methods: {equal: {}}
engines: [eager, foreach, fused]
optimizer: {name: adam, lr: 1.0e-2}
train: {epochs: 3, batch_size: 16}
seeds: 1
"""


@pytest.mark.parametrize("name", losses_for("regression", "direction"))
def test_a_loss_is_its_name_or_a_mapping_with_its_parameter(name: str) -> None:
    parameter = LOSSES[name].parameter
    assert (
        LOSS.dump_python(LOSS.validate_python(name)) == LOSS.dump_python(LOSS.validate_python({"name": name})) == name
    )
    if parameter:
        stated = {"name": name, parameter.name: 0.25}
        assert LOSS.dump_python(LOSS.validate_python(stated)) == stated
        assert LOSS.dump_python(LOSS.validate_python({"name": name, parameter.name: parameter.default})) == name


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hubber", "unknown loss 'hubber' of such a task, did you mean 'huber'"),
        ("cross_entropy", "unknown loss 'cross_entropy'"),
        (3, "expected the name of a loss, or a mapping with its name, got 3"),
        ({"beta": 1}, "expected the name of a loss, or a mapping with its name"),
        ({"name": "mse", "beta": 1}, "loss mse takes no parameter, got beta"),
        ({"name": "huber", "beta": 1}, "loss huber: expected only delta beside its name, got beta"),
        ({"name": "huber", "delta": 0}, "loss huber: expected delta > 0, got 0"),
        ({"name": "smooth_l1", "beta": -1}, "loss smooth_l1: expected beta >= 0, got -1"),
        ({"name": "smooth_l1", "beta": "1"}, "loss smooth_l1: expected a number as beta, got '1'"),
    ],
)
def test_what_is_wrong_is_said_and_refused_by_the_schema(spec: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LOSS.validate_python(spec)
    with pytest.raises(SchemaError):
        validate(spec, LOSS.json_schema())


def test_the_schema_takes_what_the_parameter_takes() -> None:
    for name in losses_for("regression"):
        parameter = LOSSES[name].parameter
        validate(name, TypeAdapter(NumbersLoss).json_schema())
        if parameter:
            validate({"name": name, parameter.name: 0.5}, TypeAdapter(NumbersLoss).json_schema())


def test_tasks_carry_the_loss_and_its_parameter(tmp_path: Path) -> None:
    _table(tmp_path)
    targets = {"y": {"loss": {"name": "huber", "delta": 0.5}}, "z": {"loss": "bce_with_logits"}}
    y, z = Tabular.from_plain({"path": "table.csv", "targets": targets}).outline(tmp_path).tasks
    assert (y.loss, y.loss_parameter, z.loss, z.beta) == ("huber", 0.5, "bce_with_logits", None)
    dense = Dense.from_plain({"path": "", "losses": {"depth": "huber", "normals": "mse"}})
    assert [dense._task(task, (2, 3)).loss for task in ("depth", "normals")] == ["huber", "mse"]
    with pytest.raises(ValidationError, match="expected a loss of numbers for depth, got cosine"):
        Dense.from_plain({"path": "", "losses": {"depth": "cosine"}})


@pytest.mark.parametrize("problem", [Dense, Boxes])
def test_losses_nobody_states_are_no_part_of_a_trials_identity(problem: Any) -> None:
    assert "losses" not in problem.from_plain({"path": "x"}).model_dump(mode="json")
    task = "depth" if problem is Dense else "box"
    stated = {"losses": {task: {"name": "smooth_l1", "beta": 0.5}}}
    assert problem.from_plain({"path": "x", **stated}).model_dump(mode="json").items() >= stated.items()


@pytest.mark.parametrize("name", [name for name in losses_for("regression") if LOSSES[name].parameter])
def test_from_suite_to_records_the_parameter_changes_the_training_and_engines_agree(tmp_path: Path, name: str) -> None:
    _table(tmp_path)
    parameter = LOSSES[name].parameter
    assert parameter is not None
    (tmp_path / "suite.yaml").write_text(SUITE.replace("LOSS", name).replace("PARAMETER", parameter.name))
    done = mtlbench.run(tmp_path / "suite.yaml", executor="serial", out=tmp_path / "out")
    assert done.ok
    facts = done.records[(done.records["split"] == "test") & (done.records["method"] == "equal")]
    facts = facts[facts["metric"].isin(["loss", "rmse"])]
    values = facts.pivot_table(index=["problem", "task", "metric"], columns="engine", values="value")
    assert np.allclose(values.to_numpy(), values[["eager"]].to_numpy(), rtol=1e-3)
    for task, metric in (("y", "loss"), ("y", "rmse"), ("z", "loss")):  # z through the shared layers
        usual, other = values["eager"]["usual", task, metric], values["eager"]["other", task, metric]
        assert abs(usual - other) > 1e-3 * abs(usual), (task, metric)


def _table(folder: Path) -> None:
    """160 rows: y is a linear function with outliers, z whether it is positive."""
    chance = np.random.default_rng(0)
    x = chance.standard_normal((160, 3))
    y = x @ [1.0, -2.0, 0.5] + 3 * chance.standard_t(2, 160)
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y, "z": (x[:, 0] > 0).astype(int)})
    frame.to_csv(folder / "table.csv", index=False)
