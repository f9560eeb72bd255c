"""A verdict that too few epochs would turn round: counted, held back, and right once training reaches its plateau."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.runner.session import Run, run

# Two readings of one function: with the same network, joint training can but help, and is the slower one to start.
SUITE = """\
problem: {name: synthetic, relatedness: 1.0, tasks: 2, rows: 200, features: 20, noise: 0.5}
architecture: {name: shared, trunk: mlp, hidden: [16]}
methods: {equal: {}}
optimizer: {name: adam, lr: 3.0e-3}
seeds: 4
references: []
"""


def trained(folder: Path, train: str) -> Run:
    path = folder / "caps.yaml"
    path.write_text(f"{SUITE}train: {{{train}, batch_size: 32}}\n")
    return run(path, out=folder / "out", executor="serial")


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("cut"), "epochs: 4")


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("free"), "until: plateau, patience_steps: 0")


def test_a_cap_that_is_too_low_is_counted_and_no_direction_claimed(cut: Run) -> None:
    counts = cut.tables["convergence"].set_index("method")
    assert counts["undertrained"].to_dict() == counts["judged"].to_dict() == {"single-task": 8, "equal": 4}
    methods = cut.tables["methods"].set_index("method")
    assert methods["delta_m_high"]["equal"] < 0  # which "hurt" would be said of
    verdict = " ".join(cut.report.verdict)
    assert verdict.startswith("No verdict yet on joint training on synthetic over 4 seeds")
    assert "hurt" not in verdict
    assert "4 of 4 trials were undertrained" in verdict


def test_training_to_the_plateau_lifts_it(free: Run) -> None:
    counts = free.tables["convergence"].set_index("method")
    assert set(counts["undertrained"]) == {0}
    assert not any("verdict yet" in sentence for sentence in free.report.verdict)
    assert free.tables["methods"].set_index("method")["delta_m"]["equal"] > 0


def test_what_training_took_stands_beside_the_methods(cut: Run, free: Run) -> None:
    methods = cut.tables["methods"].set_index("method")
    assert methods["epochs"].to_dict() == {"single-task": 4, "equal": 4}
    assert methods["steps"]["single-task"] == 2 * methods["steps"]["equal"] > 0
    assert "steps" in cut.report.tables["methods"].panels[0].text.columns
    longer = free.tables["methods"].set_index("method")
    assert (longer["epochs"] == longer["best_epoch"] + 20).all()  # patience
    assert (longer["steps"] > methods["steps"]).all()
