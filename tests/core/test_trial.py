"""Trials: their identities, and the files that earlier versions wrote of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mtlbench.core.trial import FRONTIER, KernelTrial, Labels, TrainTrial, trial_from_json
from tests.trials import altered, train_trial

# One file of each kind from before kinds had classes of their own, with its identity.
EARLIER = {
    "8b2cec2275b003a8": """{"problem": {"name": "digits"}, "tasks": ["digit"], "learner": {"name": "ridge"},
        "architecture": {}, "weighting": {}, "engine": "", "optimizer": {}, "schedule": {}, "train": {"epochs": 2},
        "seed": 3, "device": "cpu", "threads": 1, "data": "", "code": "", "kind": "train", "fold": [1, 3],
        "penalty": {}, "start": {"file": "t.pt", "sha256": "ab", "freeze": true}, "kernel": {}, "suite": "s",
        "problem_label": "d", "method": "m", "baseline": false, "resources": {"cpus": 1, "gpus": 0, "timeout": 5.0},
        "role": "candidate", "choice": "a=1", "unchosen": "", "waiting": false, "exclusive": false,
        "keeps_trunk": false}""",
    "60373cccefa905f3": """{"problem": {}, "tasks": [], "learner": {}, "architecture": {}, "weighting": {},
        "engine": "", "optimizer": {}, "schedule": {}, "train": {}, "seed": 1, "device": "cpu", "threads": 2,
        "data": "", "code": "c", "kind": "kernel", "fold": [0, 0], "penalty": {"name": "none"}, "start": {},
        "kernel": {"case": {"name": "adam", "tensors": "3 x 100"}, "contenders": ["a", "b"], "rounds": 3,
        "seconds": 0.5}, "suite": "s", "problem_label": "adam 3 x 100", "method": "kernel", "baseline": false,
        "resources": {"cpus": 2, "gpus": 0, "timeout": 6.0}, "role": "", "choice": "", "unchosen": "",
        "waiting": false, "exclusive": true, "keeps_trunk": false}""",
}


@pytest.mark.parametrize("identity", EARLIER)
def test_earlier_files_are_read_and_keep_their_identity(identity: str) -> None:
    content = json.loads(EARLIER[identity])
    trial = trial_from_json(content)
    assert trial.id == identity
    assert trial_from_json(trial.to_json()) == trial
    assert {key: value for key, value in content.items() if value != {}}.items() <= trial.to_json().items()


def test_a_point_that_was_written_as_a_choice_is_a_point() -> None:
    """As it was before points of the frontier could be tuned."""
    written = train_trial().labelled(role=FRONTIER, choice="a=0.5, b=0.5", method="frontier").to_json()
    del written["point"]
    read = trial_from_json(written)
    assert (read.labels.point, read.labels.choice) == ("a=0.5, b=0.5", "")
    assert read.title == "p/frontier[a=0.5, b=0.5]/eager/seed0"
    assert trial_from_json(read.to_json()) == read


def test_kinds_and_titles() -> None:
    trained, timed = (trial_from_json(json.loads(text)) for text in EARLIER.values())
    assert isinstance(trained, TrainTrial)
    assert isinstance(timed, KernelTrial)
    assert trained.title == "d/m[a=1][fold 2 of 3]/seed3"
    assert timed.title == "adam 3 x 100/cpu/process1"
    assert timed.labels.exclusive


def test_labels_do_not_enter_the_identity() -> None:
    trial = train_trial()
    assert trial.labelled(method="other", exclusive=True, problem="mine").id == trial.id
    for changes in ({"seed": 1}, {"optimizer": {"name": "sgd"}}, {"threads": 2}, {"fold": (0, 2)}, {"data": "ab"}):
        assert altered(trial, **changes).id != trial.id


@pytest.mark.parametrize(
    ("change", "message"),
    [({"kind": "dream"}, "unknown kind of trial 'dream'"), ({"colour": "red"}, r"unknown trial fields \['colour'\]")],
)
def test_what_another_version_wrote_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trial_from_json({**train_trial().to_json(), **change})


def test_a_trial_without_a_label_is_called_after_its_problem() -> None:
    assert train_trial().problem_name == "p"
    assert replace(train_trial(), labels=Labels(problem="mine")).problem_name == "mine"
