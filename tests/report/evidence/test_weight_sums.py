"""What the weights sum to stands beside a method, with a warning where it was a learning rate in disguise."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.optim import OPTIMIZERS
from mtlbench.runner.session import run
from tests import entries

pytestmark = pytest.mark.usefixtures("unrendered")

SUITE = """\
problem: {name: synthetic, rows: 60}
architecture: {name: shared, trunk: mlp, hidden: [4]}
methods:
  equal: {}
  sum: {weighting: sum}
  learned: {weighting: uncertainty}
optimizer: {name: OPTIMIZER, lr: 1.0e-3}
train: {epochs: 2}
seeds: 2
"""


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_sums_stand_in_the_table_and_are_warned_of_where_they_scale_the_steps(tmp_path: Path, optimizer: str) -> None:
    path = tmp_path / "sums.yaml"
    path.write_text(SUITE.replace("OPTIMIZER", optimizer))
    ran = run(path, out=tmp_path / "out", executor="serial")
    assert ran.ok
    table = ran.tables["methods"].set_index("method")["mean_weight_sum"]
    tasks = len(ran.tables["tasks"]["task"].unique())
    assert table["equal"] == pytest.approx(1)
    assert table["sum"] == pytest.approx(tasks)
    assert table["learned"] == pytest.approx(tasks / 2, rel=0.05)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Σλ" in text
    assert text.count("that multiple of the learning rate") == (optimizer == "sgd")
    assert ("sum and learned: task weights do not sum to 1" in text) == (optimizer == "sgd")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_scale_free_optimizer_takes_the_same_steps_on_gradients_of_any_scale(name: str) -> None:
    import torch

    optimizer = OPTIMIZERS.build({"name": name, **OPTIMIZERS.load(name).example()})
    if not entries.optimizer(name).trains_weightings:
        assert not optimizer.scale_free
        return
    ends = []
    for scale in (1.0, 3.0):
        weights = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
        built = optimizer.build([weights], (), "loop")
        for step in range(3):
            weights.grad = scale * torch.tensor([0.3, -1.0, 2.0 - step])
            built.step()
        ends.append(weights.detach().clone())
    assert torch.allclose(ends[0], ends[1], rtol=1e-5) == optimizer.scale_free
