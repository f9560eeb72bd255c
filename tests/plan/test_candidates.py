"""What candidates choose: by validation alone, once all have run."""

from __future__ import annotations

from typing import Any

import pytest

from mtlbench.core.record import Record, Result
from mtlbench.core.trial import CANDIDATE, FRONTIER, TrainTrial
from mtlbench.plan.candidates import with_choices
from mtlbench.plan.history import FAILED, History
from mtlbench.store import Stored
from tests.trials import altered

from .test_plan_history import TRIAL


def candidate(choice: float, **changes: Any) -> TrainTrial:
    return altered(TRIAL, optimizer={"name": "adam", "lr": choice}, choice=f"lr={choice}", role=CANDIDATE, **changes)


def ran(trial: TrainTrial, loss: float | None, test: float = 0.0) -> Stored:
    if loss is None:
        return Stored(trial, Result("failed", error="diverged"))
    records = (
        Record("loss", 2.0, "validation", "digit", step=0),
        Record("loss", loss, "validation", "digit", step=3),
        Record("loss", test, "test", "digit", step=3),
    )
    return Stored(trial, Result("ok", records=records))


def choose(*stored: Stored, more: tuple[TrainTrial, ...] = ()) -> list[TrainTrial]:
    by_id = {one.trial.id: one for one in stored}
    trials = [*(one.trial for one in stored), *more]
    decided = [
        trial for trial in with_choices(trials, lambda trial: by_id.get(trial.id)) if isinstance(trial, TrainTrial)
    ]
    finals = [trial for trial in decided if trial.labels.role == ""]
    assert len(finals) == len({(t.labels.method, t.seed) for t in trials if t.labels.role})
    return [trial for trial in finals if not trial.labels.waiting]


def test_the_lowest_validation_score_is_chosen_whatever_the_test_split_says() -> None:
    (final,) = choose(ran(candidate(1), 0.9, test=0.0), ran(candidate(2), 0.4, test=9.0), ran(candidate(3), 0.5))
    assert (final.labels.role, final.labels.choice, final.parts["optimizer"]["lr"]) == ("", "lr=2", 2)
    assert final.id == candidate(2).id  # it has run already
    assert final.title == TRIAL.title


def test_the_first_among_equals_and_never_one_that_failed() -> None:
    assert choose(ran(candidate(1), 0.5), ran(candidate(2), 0.5))[0].labels.choice == "lr=1"
    assert choose(ran(candidate(1), None), ran(candidate(2), 5.0))[0].labels.choice == "lr=2"


@pytest.mark.parametrize("folds", [0, 2])
def test_where_all_failed_the_methods_trial_stands_as_failed_and_does_not_run(folds: int) -> None:
    tried = [ran(candidate(c, fold=(k, folds)), None) for c in (1, 2, 3) for k in range(max(folds, 1))]
    (final,) = choose(*tried)
    assert (final.title, final.labels.choice) == (TRIAL.title, "")
    assert final.labels.unchosen == "all 3 candidates failed, the first with: diverged"
    planned = History(tried).plan(final)
    assert (planned.state, planned.reason, planned.to_run) == (FAILED, final.labels.unchosen, False)
    assert planned.attempts == History(tried).plan(final.labelled(unchosen="")).attempts


def test_a_candidate_that_failed_in_one_fold_is_not_chosen() -> None:
    tried = [ran(candidate(c, fold=(k, 2)), loss) for c, k, loss in ((1, 0, 0.1), (1, 1, None), (2, 0, 9), (2, 1, 9))]
    assert choose(*tried)[0].labels.choice == "lr=2"


def test_candidates_of_one_label_are_told_apart_by_what_they_are() -> None:
    """Labels are shortened, and a slash in a value becomes a bar."""
    one, other = (candidate(c).labelled(choice="path=a|b") for c in (1, 2))
    (final,) = choose(ran(one, 0.9), ran(other, 0.4))
    assert final.parts["optimizer"]["lr"] == 2


def test_nothing_is_chosen_before_all_have_run() -> None:
    assert choose(ran(candidate(1), 0.5), more=(candidate(2),)) == []
    *_, final = with_choices([candidate(1), candidate(2)], lambda trial_id: None)
    assert (final.labels.waiting, final.title, final.labels.choice) == (True, TRIAL.title, "")


def test_every_seed_and_method_chooses_for_itself_in_its_place() -> None:
    plain = altered(TRIAL, method="plain")
    stored = [
        ran(candidate(1), 0.1),
        ran(candidate(2), 0.2),
        ran(candidate(1, seed=1), 0.2),
        ran(candidate(2, seed=1), 0.1),
        Stored(plain, Result("ok")),
        ran(candidate(1, method="other", threads=2), 0.2),
        ran(candidate(2, method="other", threads=2), 0.1),
    ]
    by_id = {one.trial.id: one for one in stored}
    found = [t for t in with_choices((one.trial for one in stored), lambda t: by_id.get(t.id)) if not t.labels.role]
    assert [(t.labels.method, t.seed, t.labels.choice) for t in found] == [
        ("equal", 0, "lr=1"),
        ("equal", 1, "lr=2"),
        ("plain", 0, ""),
        ("other", 0, "lr=2"),
    ]


def test_folds_are_averaged_and_the_final_trial_has_none() -> None:
    folds = [
        ran(candidate(c, fold=(k, 2)), loss) for c, k, loss in ((1, 0, 0.1), (1, 1, 0.9), (2, 0, 0.4), (2, 1, 0.5))
    ]
    (final,) = choose(*folds)
    assert (final.labels.choice, final.fold) == ("lr=2", (0, 0))
    assert final.id not in {one.trial.id for one in folds}
    assert "fold" not in final.title


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_final_trial_is_timed_as_its_candidates(exclusive: bool) -> None:
    assert choose(ran(candidate(1, exclusive=exclusive), 0.5))[0].labels.exclusive is exclusive


def test_nothing_can_be_chosen_without_a_validation_split() -> None:
    tried = [Stored(candidate(lr), Result("ok", records=(Record("loss", 1.0, "test", "digit"),))) for lr in (1, 2)]
    (final,) = choose(*tried)
    assert final.labels.unchosen.startswith("tune chooses by the validation split, and no candidate has a score there")


def test_each_point_of_the_frontier_chooses_for_itself_and_stays_a_point() -> None:
    best = {"a": (1, 0.2), "b": (2, 0.3)}
    tried = [
        ran(candidate(c, weighting={"name": point}).labelled(point=point, method="frontier"), 0.9 if c != at else loss)
        for point, (at, loss) in best.items()
        for c in (1, 2)
    ]
    by_id = {one.trial.id: one for one in tried}
    finals = [
        t for t in with_choices([one.trial for one in tried], lambda t: by_id.get(t.id)) if t.labels.role != CANDIDATE
    ]
    assert [(t.labels.role, t.labels.point, t.labels.choice) for t in finals] == [
        (FRONTIER, "a", "lr=1"),
        (FRONTIER, "b", "lr=2"),
    ]
    assert len({t.title for t in finals}) == 2
    waiting = [t for t in with_choices([one.trial for one in tried], lambda identity: None) if t.labels.waiting]
    assert [(t.labels.role, t.labels.point) for t in waiting] == [(FRONTIER, "a"), (FRONTIER, "b")]
