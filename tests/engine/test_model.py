"""One architecture's modules as a model."""

from __future__ import annotations

import torch

from mtlbench.architectures.shared import Shared
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.engine.model import Model


def test_any_name_is_good_for_a_task() -> None:
    names = ("G3.final", "type", "forward", "parameters", "", "0")
    outline = Outline(tuple(TaskSpec(name, 1, "mse") for name in names), (2,), 9)
    model = Model(Shared.from_plain({"hidden": [3]}), outline, 0)
    assert tuple(model(torch.zeros(4, 2))) == names
    assert len(list(model.parameters())) == 2 + 2 * len(names)


def test_a_task_starts_alike_whatever_stands_beside_it() -> None:
    tasks = (TaskSpec("a", 2, "cross_entropy"), TaskSpec("b", 1, "mse"))
    one, other = (Model(Shared(), Outline(order, (5,), 9), 3) for order in (tasks, tasks[::-1]))
    for name in ("a", "b"):
        assert all(map(torch.equal, one.task_parameters(name), other.task_parameters(name)))


def test_prediction_goes_through_the_shared_representation() -> None:
    model = Model(Shared.from_plain({"hidden": [3]}), Outline((TaskSpec("a", 1, "mse"),), (2,), 9), 0)
    x = torch.randn(4, 2)
    assert model.represent(x).shape == (4, 3)
    assert torch.equal(model.predict(model.represent(x))["a"], model(x)["a"])
