"""The verdict of a real run where the truth is known in closed form: sharing helps, changes nothing, or hurts.

The networks are linear. One for each task comes to least squares, and a joint one with k shared units to least squares
of rank k, whose gain singular values give. Where k is the number of tasks both are the same whatever the tasks have in
common; one unit for orthogonal tasks makes them compete for it. Source: Wu, Zhang and Ré, Understanding and Improving
Information Transfer in Multi-Task Learning, ICLR 2020, section 2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtlbench.core.task import Split
from mtlbench.problems.small.synthetic import Synthetic
from mtlbench.runner.session import run
from tests.toy_data import in_memory, shared_inputs

FEATURES, SEEDS = 30, 5
SUITE = """\
suite: verdicts
problem: {{name: synthetic, rows: {rows}, features: {features}, relatedness: {relatedness}}}
architecture: {{name: shared, trunk: linear, hidden: [{units}]}}
methods: {{equal: {{}}}}
optimizer: {{name: adam, lr: 1.0e-2}}
train: {{until: plateau, patience_steps: 0, batch_size: 128}}
references: []
seeds: {seeds}
"""


@pytest.mark.parametrize(
    ("relatedness", "rows", "units", "outcomes", "said"),
    [
        pytest.param(1.0, 400, 1, {"better"}, {"Joint training helped"}, id="one function read four times"),
        pytest.param(
            0.0,
            1200,
            4,
            {"equal", "undecided"},
            {"Joint training is practically equal", "Whether joint training helps"},
            id="unrelated tasks with room for each",
        ),
        pytest.param(0.0, 400, 1, {"worse"}, {"Joint training hurt"}, id="four tasks compete for one unit"),
    ],
)
def test_a_run_says_what_least_squares_does(
    relatedness: float, rows: int, units: int, outcomes: set[str], said: set[str], tmp_path: Path
) -> None:
    path = tmp_path / "verdicts.yaml"
    path.write_text(SUITE.format(rows=rows, features=FEATURES, relatedness=relatedness, units=units, seeds=SEEDS))
    ran = run(path, out=tmp_path / "out", executor="serial")
    assert ran.ok
    assert set(ran.tables["convergence"]["undertrained"]) == {0}
    method = ran.tables["methods"].set_index("method").loc["equal"]
    assert method["outcome"] in outcomes
    assert any(ran.report.verdict[0].startswith(sentence) for sentence in said)
    problem = Synthetic(rows=rows, features=FEATURES, relatedness=relatedness)
    assert method["delta_m_low"] < least_squares_gain(problem, units) < method["delta_m_high"]


def least_squares_gain(problem: Synthetic, units: int) -> float:
    """Delta m in percent of least squares of that rank over least squares of each task, on the suite's own splits."""
    joint, apart = np.mean([_errors(problem, units, seed) for seed in range(SEEDS)], axis=0)
    return float(100 * (1 - joint / apart).mean())


def _errors(problem: Synthetic, units: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Root mean squared errors of each task on the test split, float64 [T], with the shared rank and without.

    The best coefficients of rank k are B V V', B being those of least squares and V the first k right singular vectors
    of X B: reduced-rank regression. Standardised targets will do, since a gain has no unit.
    """
    data = problem.load(seed, Path())
    inputs, targets = _arrays(in_memory(data.train))
    coefficients = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    shared = np.linalg.svd(inputs @ coefficients, full_matrices=False)[2][:units]
    inputs, targets = _arrays(in_memory(data.test))
    joint, apart = (inputs @ found - targets for found in (coefficients @ shared.T @ shared, coefficients))
    return np.sqrt((joint**2).mean(axis=0)), np.sqrt((apart**2).mean(axis=0))


def _arrays(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Inputs with a constant, and the targets of all tasks, float64."""
    inputs = np.column_stack([shared_inputs(split), np.ones(split.size)])
    return inputs, np.hstack(list(split.targets.values())).astype(float)
