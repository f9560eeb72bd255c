"""Analytic problems train like any other: the loss is the formula, and descent reaches the Pareto set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.record import Record
from mtlbench.core.settings import Train
from mtlbench.engine import TABLE as ENGINES
from mtlbench.engine.model import Model
from mtlbench.learners import TABLE as LEARNERS
from mtlbench.learners.base import Job, Learner
from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.problems import TABLE
from mtlbench.weightings import TABLE as WEIGHTINGS

HERE = Path()


def train(
    problem: dict[str, object], weighting: str, epochs: int, lr: float, seed: int = 0, optimizer: str = "adam"
) -> list[Record]:
    data = TABLE.build(problem).load(seed, HERE)
    job = Job(
        data=data,
        tasks=data.outline.names,
        architecture=ARCHITECTURES.build({"name": "point"}),
        weighting=WEIGHTINGS.build({"name": weighting}),
        engine=ENGINES.build({"name": "eager"}),
        optimizer=OPTIMIZERS.build({"name": optimizer, "lr": lr}),
        schedule=SCHEDULES.build({"name": "constant"}),
        train=Train(epochs=epochs, batch_size=1),
        seed=seed,
        device=torch.device("cpu"),
    )
    learner: Learner = LEARNERS.build({"name": "gradient"})
    return learner.run(job)


def gaps(records: list[Record]) -> list[float]:
    return [record.value for record in records if record.metric == "gap"]


@pytest.mark.parametrize(("dtype", "rounding"), [("float64", 1e-12), ("float32", 1e-6)])
def test_losses_are_the_formulas_above_their_bounds(dtype: str, rounding: float) -> None:
    data = TABLE.build({"name": "toy", "scale": 0.1}).load(1, HERE)
    point = ARCHITECTURES.build({"name": "point", "dtype": dtype})
    outputs = Model(point, data.outline, 0)(torch.tensor(data.test.inputs))
    formulas = data.outline.objectives
    assert formulas is not None
    for t, name in enumerate(data.outline.names):
        expected = formulas.value(t, np.array(formulas.start), np) - formulas.lower[t]
        assert outputs[name].dtype == getattr(torch, dtype)
        assert outputs[name].item() == pytest.approx(expected, rel=rounding)


def test_a_task_alone_is_its_own_formula() -> None:
    data = TABLE.build({"name": "quadratics", "tasks": 3}).load(0, HERE)
    formulas = data.outline.objectives
    outputs = Model(ARCHITECTURES.build({"name": "point"}), data.outline.only(("f3",)), 0)(torch.zeros(1, 1))
    assert outputs["f3"].item() == pytest.approx(formulas.value(2, np.array(formulas.start), np))


def test_tasks_that_are_no_formula_are_refused() -> None:
    outline = TABLE.build({"name": "toy"}).outline(HERE)
    point, renamed = ARCHITECTURES.build({"name": "point"}), (outline.tasks[0], replace(outline.tasks[1], name="g"))
    assert point.check(outline) == []
    assert point.check(replace(outline, tasks=renamed)) == [
        "task 'g': expected the name of one of the problem's formulas (f1, f2)"
    ]


def test_seeds_are_starts() -> None:
    problem = TABLE.build({"name": "toy", "starts": [[1.0, 2.0], [3.0, 4.0]]})
    assert problem.outline(HERE).seeds == 2
    assert problem.load(1, HERE).outline.objectives.start == (3.0, 4.0)
    assert TABLE.build({"name": "quadratics"}).outline(HERE).seeds is None


def test_bowls_are_descended_into_their_polygon() -> None:
    found = gaps(train({"name": "quadratics", "steps": 40}, "mgda", 3, 0.1))
    assert found[0] > 0.5
    assert found[-1] < 0.05


def test_a_common_direction_leaves_the_valley_in_which_the_mean_is_stuck() -> None:
    problem = {"name": "toy", "scale": 0.1, "starts": [[9.0, 9.0]], "steps": 200}
    assert gaps(train(problem, "mgda", 7, 0.02))[-1] < 0.1
    assert gaps(train(problem, "equal", 7, 0.02))[-1] > 1


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
def test_second_order_steps_are_in_float64_too(optimizer: str) -> None:
    found = gaps(train({"name": "quadratics", "steps": 5}, "equal", epochs=4, lr=1.0, optimizer=optimizer))
    assert found[-1] < 1e-6
