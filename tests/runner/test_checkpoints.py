"""``init_from`` from end to end: waves, checkpoints, resumption, and what is told where a trunk is missing or wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from mtlbench.core.errors import SuiteError
from mtlbench.core.seeding import derive
from mtlbench.learners.base import Start
from mtlbench.learners.loops.training import Training
from mtlbench.plan.plan import make_plan
from mtlbench.runner.session import Run, run
from tests.contracts.test_learners import job

SUITE = """\
suite: starts
problem: {name: digits, tasks: [digit, parity]}
architecture: {name: shared, trunk: mlp, hidden: [8]}
methods:
  frozen: {init_from: {method: moved, freeze: true}}
  moved: {init_from: before, train: {epochs: 1}}
  before: {weighting: equal}
optimizer: {name: adam, lr: 1.0e-2}
train: {epochs: 2, batch_size: 64}
seeds: 1
references: []
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(SUITE)
    return tmp_path / "s.yaml"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The suite, run once."""
    path = tmp_path_factory.mktemp("done") / "s.yaml"
    path.write_text(SUITE)
    return go(path)


@pytest.fixture
def finished(done: Run, path: Path) -> Path:
    """The suite beside a copy of its results."""
    shutil.copytree(done.folder, path.parent / "out")
    return path


def go(path: Path, **options: object) -> Run:
    return run(path, out=path.parent / "out", **{"executor": "serial", **options})  # type: ignore[arg-type]


def trunks(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """What lies in checkpoints/, by method."""
    plan = make_plan(path, out=path.parent / "out")
    return {
        trial.labels.method: torch.load(plan.store.trunk_path(trial.id))
        for trial in plan.trials
        if trial.labels.keeps_trunk
    }


def validation(done: Run, method: str, epoch: int) -> dict[str, float]:
    facts = done.records
    chosen = facts[(facts["method"] == method) & (facts["split"] == "validation") & (facts["step"] == epoch)]
    losses = chosen[chosen["metric"] == "loss"]
    return dict(zip(losses["task"], losses["value"], strict=True))


def test_waves_carry_trunks_from_trial_to_trial(path: Path) -> None:
    plan = make_plan(path, out=path.parent / "out")
    assert [trial.labels.method for trial in plan.wave if not trial.labels.baseline] == ["before"]
    assert len(plan.todo) == 5
    done = go(path)
    assert done.ok
    assert not done.missing
    kept = trunks(path)
    assert kept.keys() == {"before", "moved"}
    assert kept["moved"].keys() == {"shared.0.0.weight", "shared.0.0.bias"}
    assert not torch.equal(kept["moved"]["shared.0.0.weight"], kept["before"]["shared.0.0.weight"])
    assert make_plan(path, out=path.parent / "out").todo == ()
    assert validation(done, "moved", 0) != validation(done, "before", 0)


def test_what_a_trial_starts_from_is_what_the_other_ended_with(done: Run) -> None:
    given = job(seed=0)  # another problem: only the trunk's way is followed here
    source = Training(given)
    torch.manual_seed(derive(0, "step"))
    source.fit()
    trunk = source.model.trunk()
    follower = Training(job(seed=0, init_from=Start(trunk, freeze=True)))
    follower.fit()
    assert all(torch.equal(value, trunk[name]) for name, value in follower.model.trunk().items())
    assert validation(done, "frozen", 0) != validation(done, "before", 0)


def test_ray_gives_the_same_bits(done: Run, path: Path) -> None:
    other = run(path, out=path.parent / "ray", executor="ray")
    assert other.ok
    for method in ("before", "moved", "frozen"):
        assert validation(done, method, 1) == validation(other, method, 1)


def test_a_lost_trunk_is_trained_again_and_nothing_else(finished: Path) -> None:
    path = finished
    kept = trunks(path)
    plan = make_plan(path, out=path.parent / "out")
    (lost,) = [trial for trial in plan.trials if trial.labels.method == "before"]
    plan.store.trunk_path(lost.id).unlink()
    again = make_plan(path, out=path.parent / "out")
    assert [(p.trial.labels.method, p.state, p.reason) for p in again.planned if p.to_run] == [
        ("before", "without its trunk", "another trial starts from its trunk")
    ]
    assert go(path).ok
    assert torch.equal(trunks(path)["before"]["shared.0.0.weight"], kept["before"]["shared.0.0.weight"])


def test_only_brings_what_it_starts_from(path: Path) -> None:
    plan = make_plan(path, out=path.parent / "out", only="frozen")
    assert {trial.labels.method for trial in plan.trials} == {"before", "moved", "frozen"}
    done = go(path, only="frozen")
    assert not done.failed
    assert {title.split("/")[1] for title in done.missing} == {"single-task[digit]", "single-task[parity]"}


def test_a_trial_whose_source_failed_says_so(path: Path) -> None:
    path.write_text(SUITE.replace("before: {weighting: equal}", "before: {optimizer: {lr: 1.0e30}}"))
    done = go(path)
    errors = {title.split("/")[1]: result.error for title, result in done.failed.items()}
    assert errors.keys() == {"before", "moved", "frozen"}
    assert "finite" in errors["before"]
    assert (
        errors["moved"] == "expected the trunk of digits/before/eager/seed0 to start from, got none: that trial failed"
    )
    assert errors["frozen"].startswith("expected the trunk of digits/moved/eager/seed0")
    path.write_text(SUITE)
    assert go(path).ok


def test_a_trunk_from_the_file_of_another_run(done: Run, finished: Path) -> None:
    path = finished
    plan = make_plan(path, out=path.parent / "out")
    (before,) = [trial.id for trial in plan.trials if trial.labels.method == "before"]
    text = SUITE.replace("init_from: before", f"init_from: {{file: out/checkpoints/{before}.pt}}")
    path.write_text(text.replace("suite: starts", "suite: other"))
    other = run(path, out=path.parent / "other", executor="serial", only="moved")
    assert validation(other, "moved", 1) == validation(done, "moved", 1)


def test_a_file_that_is_none_is_refused_before_anything_starts(path: Path) -> None:
    path.write_text(SUITE.replace("init_from: before", "init_from: {file: none.pt}"))
    with pytest.raises(SuiteError, match=r"6:22: init_from: expected a file of checkpoints/ .*No such file"):
        make_plan(path)


@pytest.mark.parametrize("content", [b"", b"no trunk", b"PK\x03\x04"])
def test_a_file_of_another_kind_fails_in_words(path: Path, content: bytes) -> None:
    (path.parent / "odd.pt").write_bytes(content)
    path.write_text(SUITE.replace("init_from: before", "init_from: {file: odd.pt}"))
    done = go(path, only="moved")
    (failure,) = done.failed.values()
    assert failure.error.startswith("init_from odd.pt: expected a dictionary of tensors as in checkpoints/")


def test_a_trunk_of_other_shapes_is_refused_with_both(path: Path) -> None:
    path.write_text(SUITE.replace("init_from: before", "init_from: before, architecture: {hidden: [16]}"))
    done = go(path, only="moved")
    (failure,) = done.failed.values()
    assert "shared.0.0.weight is [8, 64] instead of [16, 64]" in failure.error
