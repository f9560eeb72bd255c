"""What is said of a method: better, worse, practically equal, undecided; and how often that is false."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtlbench.report.evidence.deltas import Delta, compared
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.evidence.statistics import Array, Gain, Interval
from mtlbench.report.sections.verdict import section
from tests.report.samples import Sample, sample

PLAIN = Delta("digits", "a", "eager", False, seeds=tuple(range(150)), comparisons=1, p_holm=0.0, smallest=0.5)


def delta(low: float, high: float, **options: Any) -> Delta:
    """A method whose wide interval is given, over enough seeds for the test to agree."""
    gain = Gain(np.array([low, high]), np.array([low, high]), np.array([low, high]))
    return replace(PLAIN, relative=gain, wide=Interval(low, high), **options)


@pytest.mark.parametrize(
    ("low", "high", "outcome", "matters"),
    [
        (-0.35, -0.07, "equal", False),  # clearly below zero, and clearly too small to matter
        (-0.4, 0.4, "equal", False),
        (0.6, 2.0, "better", True),
        (0.2, 2.0, "better", False),
        (-2.0, -0.6, "worse", True),
        (-2.0, -0.2, "worse", False),
        (-0.4, 0.6, "undecided", False),
        (-0.5, 0.1, "undecided", False),  # the bound itself is not inside
    ],
)
def test_outcomes_by_interval(low: float, high: float, outcome: str, matters: bool) -> None:
    assert delta(low, high).outcome == outcome
    assert delta(low, high).matters == matters


def test_an_interval_alone_does_not_decide_where_the_test_disagrees() -> None:
    assert delta(0.6, 2.0, p_holm=0.2).outcome == "undecided"
    assert delta(0.6, 2.0, p_holm=0.2, seeds=(0, 1, 2)).outcome == "better"  # three seeds cannot be tested
    assert delta(-0.3, -0.1, p_holm=0.2).outcome == "equal"


def test_without_a_smallest_effect_nothing_is_equal() -> None:
    assert delta(-0.35, -0.07, smallest=0.0).outcome == "worse"
    assert delta(-0.01, 0.01, smallest=0.0).outcome == "undecided"


def test_of_what_is_held_nothing_is_claimed() -> None:
    for low, high, outcome in (
        (0.6, 2.0, "held"),
        (-2.0, -0.2, "held"),
        (-0.1, 0.1, "held"),
        (-1.0, 1.0, "undecided"),
    ):
        assert delta(low, high, held=("its best epochs are near the cap",)).outcome == outcome
    assert replace(PLAIN, held=("near the cap",)).outcome == "none"


def _drawn(rng: np.random.Generator, truth: float, seeds: int) -> Delta:
    influence: Array = truth + 0.4 * rng.normal(size=seeds)
    gain = Gain(np.array([influence.mean()]), influence, influence)
    return Delta("p", "m", "eager", False, seeds=tuple(range(seeds)), relative=gain, p=0.001, smallest=0.5)


@pytest.mark.parametrize("seeds", [4, 10])
def test_at_most_one_run_in_twenty_says_anything_false(seeds: int) -> None:
    """Zero gains that are called better or worse, gains of the smallest effect that are called equal, and wrong signs,
    with p-values that never hinder.
    """
    rng = np.random.default_rng(seeds)
    truths = (0.0, 0.0, 0.5, -0.5, 0.7)
    false = 0
    for _ in range(1500):
        said = [d.outcome for d in compared([_drawn(rng, truth, seeds) for truth in truths])]
        false += any(
            outcome == ("equal" if abs(truth) >= 0.5 else "better") or outcome == ("better" if truth < 0 else "worse")
            for outcome, truth in zip(said, truths, strict=True)
        )
    assert false / 1500 <= 0.05 + 3 * (0.05 * 0.95 / 1500) ** 0.5


def test_many_seeds_tell_equal_from_better() -> None:
    rng = np.random.default_rng(0)
    small, large = compared([_drawn(rng, truth, 150) for truth in (-0.21, 1.0)])
    assert (small.outcome, large.outcome) == ("equal", "better")


def evidence(made: Sample, **suite: Any) -> Evidence:
    records, trials, environments, written = made.frames()
    return gather(records, trials, environments, {**written, **suite})


def test_the_suite_says_what_matters_and_old_ones_mean_the_default() -> None:
    made = sample(methods={"a": 9.0}, epochs=1)
    assert evidence(made).of("digits")[0].smallest == 0.5
    assert evidence(made, smallest_effect=50.0).of("digits")[0].outcome == "equal"


def with_rows(made: Sample, **counts: float) -> Sample:
    for trial in list(made.trials):
        for task in trial["tasks"]:
            for metric, value in counts.items():
                facts = {"split": "", "task": task, "other": "", "unit": "", "higher_is_better": None, "step": 0}
                made.records.append(trial | facts | {"metric": metric, "value": value, "main": False})
    return made


def test_corrected_intervals_are_wider_by_the_formula() -> None:
    made = with_rows(sample(methods={"a": 0.5}, epochs=1), train_rows=80.0, test_rows=20.0)
    plain, corrected = (evidence(made, interval=name).of("digits")[0] for name in ("plain", "corrected"))
    assert plain.interval is not None
    assert corrected.interval is not None
    assert corrected.interval.half / plain.interval.half == pytest.approx(((1 / 5 + 0.25) * 5) ** 0.5)
    assert corrected.testable
    said = " ".join(map(str, section(evidence(made, interval="corrected")).statements))
    assert "They allow for the overlap of the seeds' training sets" in said
    assert not plain.testable  # five seeds are too few for the exact test


def test_records_without_row_counts_are_not_corrected_and_this_is_said() -> None:
    found = evidence(sample(methods={"a": 0.5}, epochs=1), interval="corrected").of("digits")[0]
    assert found.overlap == 0
    assert any("are not corrected" in flag for flag in found.flags)


@pytest.mark.parametrize(
    ("gains", "flagged"), [({"ink": 30.0}, True), ({"ink": 5.0, "digit": 5.0, "parity": 5.0}, False)]
)
def test_a_verdict_that_rests_on_one_task_is_flagged(gains: dict[str, float], flagged: bool) -> None:
    made = sample(methods={"a": 0.0}, epochs=1, seeds=8)
    for row in made.records:
        if row["method"] == "a" and row["split"] == "test" and row["main"] and row["task"] in gains:
            row["value"] *= 1 + gains[row["task"]] / 100 * (1 if row["higher_is_better"] else -1)
    found = evidence(made).of("digits")[0]
    assert found.outcome == "better"
    assert any(flag.startswith("ink alone makes up more than 70 %") for flag in found.flags) == flagged
