"""What a plan says of caps: from earlier trials, and of few epochs that nothing but a number ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.record import Record, Result
from mtlbench.core.trial import TrainTrial
from mtlbench.plan.plan import Plan, make_plan

SUITE = """\
suite: caps
problem: {name: synthetic, rows: 60, tasks: 2}
architecture: {name: shared, trunk: mlp, hidden: [4]}
methods:
  equal: {}
  ridge: {learner: ridge}
optimizer: {name: adam, lr: 3.0e-3}
train: {epochs: 3, batch_size: 8}
seeds: 2
profiles:
  quick: {train: {epochs: 2}}
"""
MAY = "may be too few, whatever the method"
WERE = "synthetic: earlier trials were undertrained, ended by their cap: "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "caps.yaml"
    path.write_text(SUITE)
    return path


def plan(path: Path, old: str = "", new: str = "", profile: str | None = None) -> Plan:
    """The plan of a suite that differs in one place from SUITE."""
    assert old in SUITE
    path.write_text(SUITE.replace(old, new))
    return make_plan(path, out=path.parent / "out", profile=profile)


def caps(plan: Plan) -> list[str]:
    return [note for note in plan.notes if "until: plateau" in note]


def test_few_epochs_are_remarked_upon_before_anything_ran(path: Path) -> None:
    (note,) = caps(plan(path))
    assert note.startswith(f"3 epochs {MAY}: single-task and equal; `train: {{until: plateau}}`")


@pytest.mark.parametrize(
    "train",
    ["{epochs: 20}", "{epochs: 3, early_stopping: {patience: 2}}", "{until: plateau, epochs: 3}", "{steps: 3}"],
)
def test_what_something_else_ends_is_not(path: Path, train: str) -> None:
    assert not caps(plan(path, "{epochs: 3, batch_size: 8}", train))


def test_a_profile_is_short_by_intention(path: Path) -> None:
    assert not caps(plan(path, profile="quick"))


def finish(path: Path, flat_from: int) -> None:
    """Leave behind results of every trial, whose validation losses fall until some epoch."""
    before = plan(path)
    for trial in before.trials:
        assert isinstance(trial, TrainTrial)
        epochs = (trial.parts["train"] or {}).get("epochs", 0)
        losses = [
            Record("loss", 0.5 ** min(e, flat_from), "validation", trial.tasks[0], step=e) for e in range(epochs + 1)
        ]
        totals = [Record("epochs", epochs), Record("steps", 5 * epochs)] if epochs else []
        before.store.write(trial, Result("ok", records=(*losses, *totals), alone=True))


def test_earlier_trials_that_a_cap_ended_are_told(path: Path) -> None:
    finish(path, flat_from=3)
    assert not plan(path).todo
    told = f"{WERE}single-task (4 of 4) and equal (2 of 2); `train: {{until: plateau}}`"
    alike = (("", ""), ("seeds: 2", "seeds: 3"), ("lr: 3.0e-3", "lr: 1.0e-3"), ("epochs: 3", "epochs: 2"))
    for changed in alike:
        (note,) = caps(plan(path, *changed))
        assert note.startswith(told)
    for train in ("epochs: 30", "until: plateau", "steps: 500"):
        assert not caps(plan(path, "epochs: 3", train))


def test_earlier_trials_that_had_learned_all_they_could_are_not(path: Path) -> None:
    finish(path, flat_from=1)
    assert not plan(path).todo
    assert not caps(plan(path))


@pytest.mark.parametrize("train", ["until: plateau", "steps: 100", "until: plateau, epochs: 30", "epochs: 5, steps: 9"])
def test_a_schedule_over_all_epochs_needs_their_number(path: Path, train: str) -> None:
    faulty = SUITE.replace("epochs: 3", train) + "schedule: cosine\n"
    path.write_text(faulty)
    with pytest.raises(SuiteError, match=r"schedule 'cosine' .* leave open: use schedule plateau") as caught:
        make_plan(path)
    assert {issue.line for issue in caught.value.issues} == {faulty.splitlines().index("schedule: cosine") + 1}
    path.write_text(faulty.replace("schedule: cosine", "schedule: plateau"))
    make_plan(path)


@pytest.mark.parametrize(
    ("train", "fault"),
    [
        ("until: plateau, early_stopping: {patience: 3}", "train: early_stopping: expected none beside until: plateau"),
        ("epochs: 3, patience: 3", "train: patience: expected until: plateau beside it"),
        ("until: plateu", "train.until: expected 'epochs' or 'plateau', got 'plateu', did you mean 'plateau'?"),
    ],
)
def test_contradictory_keys_are_told_at_their_place(path: Path, train: str, fault: str) -> None:
    faulty = SUITE.replace("epochs: 3", train)
    path.write_text(faulty)
    with pytest.raises(SuiteError) as caught:
        make_plan(path)
    line = next(i for i, text in enumerate(faulty.splitlines(), 1) if text.startswith("train"))
    assert any(issue.line == line and fault in issue.message for issue in caught.value.issues)


def test_a_method_may_train_to_a_plateau_where_the_suite_stops_early(path: Path) -> None:
    text = SUITE.replace("epochs: 3", "epochs: 30, early_stopping: {patience: 3}")
    path.write_text(text.replace("equal: {}", "equal: {train: {until: plateau, early_stopping: null}}"))
    trials = {trial.title: trial for trial in make_plan(path).trials}
    assert trials["synthetic/equal/eager/seed0"].to_json()["train"]["until"] == "plateau"
    assert trials["synthetic/equal/eager/seed0"].to_json()["train"]["epochs"] == 30
    assert trials["synthetic/single-task[t1]/eager/seed0"].to_json()["train"]["until"] == "epochs"
