"""Undertrained trials are counted, and hold back exactly the direction that they may explain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mtlbench.core.convergence import SPARED
from mtlbench.core.settings import EarlyStopping, Train
from mtlbench.report.evidence.deltas import Delta
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.sections.convergence import section
from mtlbench.report.sections.verdict import section as verdict
from tests.report.samples import TASKS, Sample, number, sample, with_references

pytestmark = pytest.mark.usefixtures("unrendered")

EPOCHS, SEEDS = 8, 10
TWO = {name: TASKS[name] for name in ("digit", "ink")}
STOPPING = EarlyStopping(patience=2)


def made(gain: float, cut: dict[str, float], stopping: EarlyStopping | None = STOPPING, **options: Any) -> Sample:
    """A run whose method gains so much; of the trials of each method in ``cut`` that share was undertrained: its
    validation losses fall to the last epoch, those of others to the fourth.
    """
    run = sample(**{"methods": {"equal": gain}, "tasks": TWO, "seeds": SEEDS, "epochs": EPOCHS, **options})
    train = Train(epochs=EPOCHS, early_stopping=stopping).model_dump(mode="json")
    trials: dict[str, list[str]] = {}
    for row in run.trials:
        row["settings"] = json.dumps({**json.loads(row["settings"]), "train": train})
        trials.setdefault(row["method"], []).append(row["trial"])
    short = {trial for method, share in cut.items() for trial in trials[method][: round(share * len(trials[method]))]}
    for fact in run.records:
        if (fact["split"], fact["metric"]) == ("validation", "loss"):
            fact["value"] = 0.5 ** (fact["step"] if fact["trial"] in short else min(fact["step"], 4))
        if fact["metric"] == "epochs":
            fact["value"] = EPOCHS
    steps = [f | {"metric": "steps", "value": 100.0} for f in run.records if f["metric"] == "epochs"]
    run.records += steps
    return run


def delta(run: Sample, method: str = "equal") -> Delta:
    return next(d for d in gather(*run.frames()).deltas if d.method == method)


@pytest.mark.parametrize("stopping", [STOPPING, None])
@pytest.mark.parametrize(
    ("gain", "cut", "outcome"),
    [
        (9.0, {}, "better"),
        (-9.0, {}, "worse"),
        (-9.0, {"equal": 1.0}, "held"),
        (9.0, {"equal": 1.0}, "better"),  # it would gain yet more
        (9.0, {"single-task": 1.0}, "held"),
        (-9.0, {"single-task": 1.0}, "worse"),  # the baseline would gain yet more
        (9.0, {"equal": 1.0, "single-task": 1.0}, "held"),
        (-9.0, {"equal": 1.0, "single-task": 1.0}, "held"),
        (0.0, {"equal": 1.0, "single-task": 1.0}, "undecided"),
    ],
)
def test_a_direction_is_held_back_by_what_may_explain_it_alone(
    gain: float, cut: dict[str, float], outcome: str, stopping: EarlyStopping | None
) -> None:
    assert delta(made(gain, cut, stopping)).outcome == outcome


@pytest.mark.parametrize("trials", [0, 1, 2])
def test_a_few_trials_are_spared(trials: int) -> None:
    """Of 20 trials of the baseline, one is a twentieth, which is not more than SPARED."""
    assert SPARED == 0.05
    found = delta(made(9.0, {"single-task": trials / 20}))
    assert found.outcome == ("held" if trials > 1 else "better")
    why = f"{trials} of 20 single-task trials were undertrained, which alone may be why it is better; train longer: "
    assert found.held == ((f"{why}`train: {{until: plateau}}`, or a higher cap",) if trials > 1 else ())


def test_trials_without_epochs_or_settings_hold_nothing_back() -> None:
    run = made(-9.0, {"equal": 1.0})
    run.records = [fact for fact in run.records if fact["metric"] != "epochs"]
    assert delta(run).outcome == "worse"
    assert not gather(*run.frames()).convergences
    assert section(gather(*run.frames())) is None
    bare = made(-9.0, {"equal": 1.0})
    for row in bare.trials:
        row["settings"] = ""
    assert delta(bare).outcome == "worse"


def test_trials_without_validation_losses_are_told_but_hold_nothing_back() -> None:
    run = made(-9.0, {"equal": 1.0})
    run.records = [fact for fact in run.records if fact["split"] != "validation"]
    assert delta(run).outcome == "worse"
    said = text(gather(*run.frames()))
    assert f"{3 * SEEDS} trials without a validation loss cannot be judged" in said


def test_only_the_trials_that_are_compared_count() -> None:
    """A method of one task alone is compared with the baseline on that task, over the seeds that both have."""
    run = made(9.0, {})
    ink = [row["trial"] for row in run.trials if row["tasks"] == ("ink",)]
    for fact in run.records:
        if fact["trial"] in ink and (fact["split"], fact["metric"]) == ("validation", "loss"):
            fact["value"] = 0.5 ** fact["step"]
    assert delta(run).outcome == "held"
    for row in run.trials:
        row["tasks"] = ("digit",) if row["method"] == "equal" else row["tasks"]
    run.records = [fact for fact in run.records if (fact["method"], fact["task"]) != ("equal", "ink")]
    assert delta(run).outcome == "better"


def text(evidence: Evidence) -> str:
    part = section(evidence)
    assert part is not None
    return " ".join(map(str, part.statements))


def test_they_are_counted_by_method_and_by_kind() -> None:
    run = made(9.0, {"equal": 1.0, "random": 0.5, "single-task": 0.25}, methods={"equal": 9.0, "random": -9.0})
    evidence = gather(*run.frames())
    assert "On digits, 15 of 20 joint trials (75 %) and 5 of 20 single-task trials (25 %) were undertrained" in text(
        evidence
    )
    part = section(evidence)
    assert part is not None
    raw = part.tables[0].raw.set_index("method")
    assert raw["undertrained"].to_dict() == {"single-task": 5, "equal": 10, "random": 5}
    assert raw["trials"].to_dict() == {"single-task": 20, "equal": 10, "random": 10}
    assert (number(raw, "equal", "steps"), number(raw, "single-task", "steps")) == (100, 200)  # a model a task
    assert number(raw, "single-task", "epochs") == EPOCHS


def test_none_is_said_too() -> None:
    assert text(gather(*made(9.0, {}).frames())) == f"On digits, none of {3 * SEEDS} trials was undertrained."


def test_the_verdict_names_what_holds_it_back() -> None:
    said = [str(s) for s in verdict(gather(*made(-9.0, {"equal": 1.0}).frames())).statements]
    assert said[0].startswith(
        f"No verdict yet on joint training on digits over {SEEDS} seeds (1 no verdict yet): no verdict yet, "
    )
    assert "`train: {until: plateau}`" in said[0]
    assert "equal: 10 of 10 trials were undertrained, which alone may be why it is worse" in said[0]
    assert "hurt" not in " ".join(said)
    several = made(9.0, {"b": 1.0}, methods={"a": 9.0, "b": -9.0})
    said = [str(s) for s in verdict(gather(*several.frames())).statements]
    assert said[0].startswith(
        f"Joint training helped on digits over {SEEDS} seeds with 1 of 2 methods (1 better, 1 no verdict yet): "
    )
    assert "no verdict yet, train longer: b −" in said[0]


@pytest.mark.parametrize("cut", ["equal", "single-task"])
def test_practically_equal_is_held_by_either(cut: str) -> None:
    assert _judged(made(0.0, {}, methods={"equal": 0.0})).outcome == "equal"
    assert _judged(made(0.0, {cut: 1.0}, methods={"equal": 0.0})).outcome == "held"


def _judged(run: Sample) -> Delta:
    """With so large a smallest effect that all is practically equal."""
    run.suite["smallest_effect"] = 50.0
    return delta(run)


@pytest.mark.parametrize(("cut", "said"), [({}, True), ({"equal": 1.0}, False), ({"single-task": 1.0}, False)])
@pytest.mark.parametrize("name", ["constant", "boosting"])
def test_what_is_said_of_references_is_held_by_undertrained_methods(
    cut: dict[str, float], said: bool, name: str
) -> None:
    """A reference that is better than every method on the one task: floor and strong baseline alike."""
    run = with_references(made(0.0, cut), {name: {"digit": 99.9, "ink": 99.0}})
    found = [str(s) for s in verdict(gather(*run.frames())).statements if name in str(s)]
    assert any("clearly better" in text for text in found) is said
    assert any("is unclear" in text and "undertrained" in text for text in found) is not said


@pytest.mark.parametrize(
    ("train", "advice"),
    [
        (Train(until="plateau"), "raise its cap, `train.epochs`"),
        (Train(until="plateau", steps=9), "raise its cap, `train.steps`"),
        (Train(until="plateau", steps=9, epochs=3), "raise its cap, `train.epochs` or `train.steps`"),
        (Train(epochs=8), "`train: {until: plateau}`, or a higher cap"),
    ],
)
def test_only_who_does_not_yet_train_to_a_plateau_is_told_to(train: Train, advice: str) -> None:
    assert train.longer == advice


def test_the_advice_is_that_of_the_settings() -> None:
    run = made(-9.0, {"equal": 1.0})
    train = Train(until="plateau", epochs=EPOCHS, patience=2, patience_steps=0).model_dump(mode="json")
    for row in run.trials:
        row["settings"] = json.dumps({**json.loads(row["settings"]), "train": train})
    assert "train longer: raise its cap, `train.epochs`" in delta(run).held[0]
    assert "until: plateau" not in text(gather(*run.frames()))
