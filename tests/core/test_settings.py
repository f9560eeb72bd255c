"""How a training's settings fill in and contradict each other, and which of them identify a trial."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mtlbench.core.parts import PARTS
from mtlbench.core.settings import CAP, EPOCHS, MIN_DELTA, PATIENCE, EarlyStopping, Train
from tests.trials import altered, train_trial

SETTINGS = {key: part.settings for key, part in PARTS.items() if part.settings is not None}
LATER = [(key, name) for key, model in SETTINGS.items() for name in sorted(model.later)]
OTHER: dict[str, dict[str, Any]] = {  # a setting that came later, at a value that is not its default
    "until": {"until": "plateau"},
    "patience": {"until": "plateau", "patience": 3},
    "patience_steps": {"until": "plateau", "patience_steps": 7},
    "min_delta": {"until": "plateau", "min_delta": 0.5},
    "steps": {"steps": 7},
}


def trial(**train: Any) -> Any:
    return train_trial(train=Train.from_plain(train).model_dump(mode="json"))


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ({}, (EPOCHS, None, None, None)),
        ({"epochs": 3}, (3, None, None, None)),
        ({"steps": 500}, (None, 500, None, None)),
        ({"steps": 500, "epochs": 3}, (3, 500, None, None)),
        ({"until": "plateau"}, (CAP, None, PATIENCE, MIN_DELTA)),
        ({"until": "plateau", "epochs": 30, "patience": 4}, (30, None, 4, MIN_DELTA)),
        ({"until": "plateau", "steps": 500, "min_delta": 0.0}, (None, 500, PATIENCE, 0.0)),
        ({"until": "epochs", "epochs": None, "steps": None, "patience": None}, (EPOCHS, None, None, None)),
    ],
)
def test_what_is_not_given_follows_from_what_is(written: dict[str, Any], filled: tuple[Any, ...]) -> None:
    train = Train.from_plain(written)
    assert (train.epochs, train.steps, train.patience, train.min_delta) == filled
    assert Train.from_plain(train.model_dump(mode="json")) == train


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            {"until": "plateau", "early_stopping": {"patience": 3}},
            "early_stopping: expected none beside until: plateau",
        ),
        ({"patience": 3}, "patience: expected until: plateau beside it, got until: epochs"),
        ({"until": "epochs", "min_delta": 0.1}, "min_delta: expected until: plateau beside it, got until: epochs"),
        ({"until": "plateau", "patience": 0}, "greater than or equal to 1"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"until": "convergence"}, "'epochs' or 'plateau'"),
    ],
)
def test_contradictions_are_refused(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Train.from_plain(written)


def test_what_ends_training_by_the_validation_split() -> None:
    assert Train().stopping is None
    early = EarlyStopping(patience=3, min_delta=0.1)
    assert Train(early_stopping=early).stopping == early
    plateau = Train(until="plateau", patience=4, min_delta=0.1).stopping
    assert plateau is not None
    assert (plateau.patience, plateau.improves(0.89, 1.0), plateau.improves(0.91, 1.0)) == (4, True, False)
    assert early.improves(0.89, 1.0)
    assert not early.improves(0.0089, 0.01)  # of the score itself, while a plateau takes a share of it
    assert plateau.improves(0.0089, 0.01)
    assert plateau.improves(-1.2, -1.0)
    assert not plateau.improves(-1.05, -1.0)


@pytest.mark.parametrize(("key", "name"), LATER)
def test_a_later_setting_at_its_default_leaves_identities_alone(key: str, name: str) -> None:
    model = SETTINGS[key]
    assert name in model.model_fields
    spec = model.from_plain({}).model_dump(mode="json")
    before = train_trial(**{PARTS[key].coordinate: {k: v for k, v in spec.items() if k not in model.later}})
    assert altered(before, **{PARTS[key].coordinate: spec}).id == before.id


@pytest.mark.parametrize("name", sorted(Train.later))
def test_a_later_setting_that_is_given_is_part_of_the_identity(name: str) -> None:
    usual = {"until": "plateau"} if name in ("patience", "patience_steps", "min_delta") else {}
    assert trial(**OTHER[name]).id != trial(**usual).id
    assert trial(**OTHER[name]).coordinates()["train"][name] == OTHER[name][name]


def test_the_identity_of_a_training_from_before() -> None:
    """The id that this trial had before ``until`` and ``steps`` came."""
    assert trial(epochs=40, batch_size=64, early_stopping={"patience": 8}).id == "857626f8e44e2033"


def test_a_plateau_without_a_bound_in_steps_is_the_training_from_before() -> None:
    """The id that this trial had before ``patience_steps`` came; what it wrote down says nothing of a bound."""
    old = trial(until="plateau", patience=10, patience_steps=0)
    assert old.id == "a58be4d97f3ad489"
    assert trial(until="plateau", patience=10).id != old.id
    written = {key: value for key, value in old.parts["train"].items() if key != "patience_steps"}
    assert Train.of_trial(written).stopping == Train(until="plateau", patience=10, patience_steps=0).stopping


@pytest.mark.parametrize(("epochs", "steps", "over"), [(4, 39, False), (3, 40, False), (4, 40, True), (9, 90, True)])
def test_a_plateau_lasts_as_many_epochs_and_as_many_steps(epochs: int, steps: int, over: bool) -> None:
    plateau = Train(until="plateau", patience=4, patience_steps=40).stopping
    assert plateau is not None
    assert plateau.over(epochs, steps) is over
    assert EarlyStopping(patience=4).over(4, 0)


@pytest.mark.parametrize(("patience", "half"), [((1, 0), (1, 0)), ((4, 10), (2, 5)), ((5, 501), (3, 251))])
def test_half_a_patience_is_half_of_both(patience: tuple[int, int], half: tuple[int, int]) -> None:
    rules = [Train(until="plateau", patience=p, patience_steps=s).stopping for p, s in (patience, half)]
    assert rules[0] is not None
    assert rules[0].halved == rules[1]


def test_a_cap_allows_no_more_than_a_higher_one() -> None:
    assert Train(epochs=40).allows(Train(epochs=40))
    assert Train(epochs=40).allows(Train(epochs=39, steps=10))
    assert not Train(epochs=40).allows(Train(epochs=41))
    assert not Train(epochs=40).allows(Train(steps=10))
    assert Train(steps=10).allows(Train(steps=10))
    assert Train(until="plateau").allows(Train(epochs=40))
