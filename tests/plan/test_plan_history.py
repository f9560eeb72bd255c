from __future__ import annotations

from typing import Any

from mtlbench.core.record import Result
from mtlbench.core.trial import TrainTrial
from mtlbench.plan.history import History, differences
from mtlbench.store import Stored
from tests.trials import altered, train_trial

TRIAL = train_trial(
    problem={"name": "digits"},
    tasks=("digit", "ink"),
    learner={"name": "gradient"},
    architecture={"name": "shared", "hidden": [8]},
    weighting={"name": "equal"},
    engine="eager",
    optimizer={"name": "adam", "lr": 0.1},
    schedule={"name": "constant"},
    train={"epochs": 3, "early_stopping": None},
    seed=0,
    suite="s",
    method="equal",
)


def _with(**changes: Any) -> TrainTrial:
    return altered(TRIAL, **changes)


def test_differences_are_paths_and_values() -> None:
    new = _with(
        optimizer={"name": "sgd", "momentum": 0.9},
        train={"epochs": 3, "early_stopping": {"patience": 2}},
        architecture={"name": "shared", "hidden": [8, 8]},
        data="abc",
    )
    assert differences(TRIAL.coordinates(), new.coordinates()) == [
        "architecture.hidden [8] → [8, 8]",
        "optimizer.name 'adam' → 'sgd'",
        "optimizer.momentum nothing → 0.9",
        "train.early_stopping.patience nothing → 2",
        "data changed",
        "optimizer.lr 0.1 → nothing",
    ]


def test_the_nearest_relative_tells_what_changed() -> None:
    far = _with(optimizer={"name": "sgd", "lr": 1, "momentum": 0.9}, threads=3, device="cuda")
    near = _with(threads=2)
    history = History(
        Stored(trial, Result("ok")) for trial in (far, near, _with(seed=1), _with(method="other", threads=5))
    )
    planned = history.plan(TRIAL)
    assert (planned.state, planned.reason, planned.to_run) == ("changed", "threads 2 → 1", True)
    assert History([Stored(far, Result("ok"))]).plan(TRIAL).reason.endswith(" and 2 more")


def test_strangers_are_no_relatives() -> None:
    strangers = (
        _with(seed=1),
        _with(method="other", threads=2),
        _with(engine="fused"),
        _with(threads=2).labelled(problem="mine"),
        _with(suite="t", threads=2),
    )
    history = History(Stored(trial, Result("ok")) for trial in strangers)
    assert history.plan(TRIAL).state == "new"


def test_single_tasks_are_not_mixed_up() -> None:
    digit, ink = _with(baseline=True, tasks=("digit",)), _with(baseline=True, tasks=("ink",))
    history = History([Stored(digit, Result("ok", seconds=3.0, alone=True))])
    assert history.plan(digit).state == "finished"
    assert history.plan(ink).state == "new"
    assert (history.seconds(digit), history.seconds(ink)) == (3.0, None)


def test_time_is_the_median_of_what_finished() -> None:
    results = [Result("ok", seconds=s) for s in (1.0, 2.0, 9.0)] + [Result("failed", seconds=100.0)]
    history = History(Stored(_with(seed=seed), result) for seed, result in enumerate(results))
    assert history.seconds(_with(seed=99)) == 2.0
