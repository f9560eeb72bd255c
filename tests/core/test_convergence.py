"""The rule for undertrained trials, and how it reads a trial's facts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from mtlbench.core.convergence import SPARED, STILL, TAIL, Ending, ending, undertrained
from mtlbench.core.record import Record
from mtlbench.core.settings import EarlyStopping, Train

PATIENT = Train(epochs=40, early_stopping=EarlyStopping(patience=8))
FIXED = Train(epochs=40)
PLATEAU = Train(until="plateau", epochs=40, patience_steps=0)


def falling(epochs: int, rate: float) -> list[float]:
    """Scores of epochs 0 to ``epochs`` that keep falling."""
    return [math.exp(-rate * epoch) for epoch in range(epochs + 1)]


def flat_from(epoch: int, epochs: int) -> list[float]:
    return [max(1 - 0.9 * e / epoch, 0.1) for e in range(epochs + 1)]


def facts(scores: Sequence[float], steps: int = 400, kept: int | None = None) -> list[Record]:
    """The facts of a training of two tasks with these scores, among others that have no say."""
    losses = [
        Record("loss", score * first, split, task, step=epoch)
        for epoch, score in enumerate(scores)
        for task, first in (("a", 2.0), ("b", 300.0))
        for split in ("validation", "train")
    ]
    epochs = len(scores) - 1
    ends = [Record("loss", 0.5, "test", "a", step=epochs if kept is None else kept)]
    return [*losses, *ends, Record("epochs", epochs), Record("steps", steps), Record("train_seconds", 3.0)]


@pytest.mark.parametrize("train", [PATIENT, FIXED, PLATEAU, Train(steps=400)])
def test_a_score_that_keeps_falling_until_the_cap_is_cut_short(train: Train) -> None:
    assert undertrained(train, 400, falling(40, 0.05))


@pytest.mark.parametrize("train", [PATIENT, FIXED, PLATEAU, Train(steps=400)])
def test_a_score_that_was_flat_or_grew_before_the_cap_is_not(train: Train) -> None:
    assert undertrained(train, 400, flat_from(15, 40)) is False
    assert undertrained(train, 400, [*flat_from(15, 15), *(0.1 + 0.01 * e for e in range(1, 26))]) is False


@pytest.mark.parametrize("train", [PATIENT, FIXED, Train(until="plateau"), Train(steps=4000), Train(steps=999)])
def test_what_no_cap_ended_is_not(train: Train) -> None:
    assert undertrained(train, 390, falling(39, 0.05)) is False


@pytest.mark.parametrize("best", range(1, 41))
def test_with_patience_the_trials_own_rule_would_have_gone_on(best: int) -> None:
    scores = [1.0, *(0.5 + 0.001 * abs(epoch - best) for epoch in range(1, 41))]
    assert undertrained(PATIENT, 400, scores) is (40 - best < 8)


@pytest.mark.parametrize("best", range(1, 41))
def test_a_rest_too_short_in_steps_is_none(best: int) -> None:
    """Epochs of 10 steps: a patience of 8 epochs and 150 steps lasts 15 epochs."""
    scores = [1.0, *(0.5 + 0.1 * abs(epoch - best) for epoch in range(1, 41))]
    bounded = Train(until="plateau", epochs=40, patience=8, patience_steps=150)
    assert undertrained(bounded, 400, scores) is (40 - best < 15)
    written = {key: value for key, value in _json(bounded).items() if key != "patience_steps"}  # before there was one
    found = ending(written, facts(scores))
    assert found is not None
    assert found.undertrained is (40 - best < 8)


def test_a_plateau_is_relative() -> None:
    """A fall by less than ``min_delta``, as a share of the score, is none; early stopping, by default, takes any."""
    scores = [1.0, *(1e-6 * (1 - 1e-6 * epoch) for epoch in range(1, 41))]
    assert undertrained(PLATEAU, 400, scores) is False
    assert undertrained(PATIENT, 400, scores)
    steep = [1.0, *(1e-6 * 0.9**epoch for epoch in range(1, 41))]
    assert undertrained(PLATEAU, 400, steep)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("fall", [0.5 * STILL, 2 * STILL])
def test_without_patience_the_last_tenth_tells(fall: float, scale: float) -> None:
    tail = math.ceil(40 * TAIL)
    scores = [1.0, *[0.5] * (40 - tail), *[0.5 * (1 - fall)] * tail]
    assert undertrained(FIXED, 400, [scale * score for score in scores]) is (fall > STILL)


@pytest.mark.parametrize("epochs", [1, 2, 5])
@pytest.mark.parametrize("patience", [None, 8])
def test_few_epochs_that_helped_are_too_few(epochs: int, patience: int | None) -> None:
    stopping = EarlyStopping(patience=patience) if patience else None
    assert undertrained(Train(epochs=epochs, early_stopping=stopping), 9, falling(epochs, 0.1))


def test_noise_about_a_level_is_seldom_called_progress() -> None:
    """Of trials that do nothing but vary by 1 %, fewer are called undertrained than are spared."""
    chance = np.random.default_rng(0)
    noise = 1 + 0.01 * chance.standard_normal((1000, 41))
    assert np.mean([bool(undertrained(FIXED, 400, row.tolist())) for row in noise]) < SPARED


def test_without_a_validation_loss_nothing_can_be_said() -> None:
    assert undertrained(FIXED, 400, [math.inf] * 41) is None
    told = [fact for fact in facts(falling(40, 0.05)) if fact.split != "validation"]
    assert ending(_json(FIXED), told) == Ending(40, 400, 40, None)


def _json(train: Train) -> dict[str, Any]:
    return train.model_dump(mode="json")


def test_the_facts_of_a_trial_tell() -> None:
    assert ending(_json(PATIENT), facts(falling(40, 0.05), kept=39)) == Ending(40, 400, 39, True)
    assert ending(_json(PATIENT), facts(flat_from(15, 23), 230, kept=15)) == Ending(23, 230, 15, False)


def test_settings_of_old_trials_are_read() -> None:
    old = {key: value for key, value in _json(PATIENT).items() if key not in Train.later}
    assert ending(old, facts(falling(40, 0.05))) == Ending(40, 400, 40, True)


@pytest.mark.parametrize("absent", [[], [Record("train_seconds", 3.0), Record("loss", 0.5, "test", "a")]])
def test_a_learner_without_epochs_is_never_undertrained(absent: Iterable[Record]) -> None:
    assert ending(_json(PATIENT), absent) is None
    assert ending({}, facts(falling(40, 0.05))) is None


def test_pre_training_counts() -> None:
    earlier = [Record("pretrain_epochs", 12), Record("pretrain_steps", 120)]
    done = [*facts(flat_from(15, 40)), *earlier]
    assert ending(_json(PATIENT), [*done, Record("pretrain_undertrained", 0.0)]) == Ending(52, 520, 40, False)
    assert ending(_json(PATIENT), [*done, Record("pretrain_undertrained", 1.0)]) == Ending(52, 520, 40, True)
