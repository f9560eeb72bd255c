"""Gains by other measures than Delta m, and the verdicts that rest on them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mtlbench.report.evidence.evidence import gather
from mtlbench.report.evidence.frames import Task
from mtlbench.report.evidence.measures import companions, errors, in_units_of, log_ratio, wins
from mtlbench.report.evidence.statistics import mean_interval
from mtlbench.report.sections.verdict import section
from tests.report.samples import Sample, sample

SHARE, RMSE, R2 = Task("a", "accuracy", "%", True), Task("b", "rmse", "", False), Task("c", "r2", "1", True)


@pytest.mark.parametrize(
    ("task", "value", "error"),
    [
        (SHARE, 97.0, 3.0),
        (RMSE, 2.0, 2.0),
        (R2, -0.5, 1.5),
        (Task("d", "sklearn:neg_mean_absolute_error", "1", True), -2.0, 2.0),
    ],
)
def test_the_error_of_a_metric(task: Task, value: float, error: float) -> None:
    assert errors(np.array([value]), task) == pytest.approx([error])


@pytest.mark.parametrize(
    ("task", "value"),
    [(SHARE, 101.0), (RMSE, -1.0), (R2, 1.5), (Task("e", "psnr", "dB", True), 30.0)],
)
def test_no_error_where_the_best_value_is_unknown_or_surpassed(task: Task, value: float) -> None:
    assert errors(np.array([value]), task) is None


def test_halved_and_doubled_errors_cancel() -> None:
    found = log_ratio(np.array([[1.0, 4.0]] * 3), np.array([[2.0, 2.0]] * 3))
    assert found is not None
    assert found.mean == pytest.approx(0)
    assert found.per_task == pytest.approx([100 * math.log(2), -100 * math.log(2)])
    assert log_ratio(np.array([[0.0]]), np.array([[1.0]])) is None


def test_units_of_the_constant_predictor_by_hand() -> None:
    found = in_units_of(np.array([10.0, 4.0]), np.array([[1.0, 3.0], [3.0, 1.0]]), np.array([[2.0, 4.0], [4.0, 4.0]]))
    assert found is not None
    assert found.per_task == pytest.approx([10.0, 50.0])
    assert found.differences == pytest.approx([(10 + 25) / 2, (10 + 75) / 2])
    assert in_units_of(np.array([0.0]), np.array([[1.0]]), np.array([[1.0]])) is None


def test_wins_are_rank_differences() -> None:
    found = wins(np.array([[99.0, 2.0], [98.0, 1.0]]), np.array([[98.0, 1.0], [98.0, 2.0]]), np.array([True, False]))
    assert found.differences == pytest.approx([0.0, 50.0])
    assert found.per_task == pytest.approx([50.0, 0.0])


def test_companions_are_those_that_the_values_allow() -> None:
    values = np.array([[90.0, 2.0], [91.0, 2.1]])
    assert list(companions(values, values, (SHARE, RMSE), np.array([10.0, 5.0]))) == ["constant", "log_ratio", "wins"]
    assert list(companions(values, values, (SHARE, RMSE), None)) == ["log_ratio", "wins"]
    assert list(companions(-values, -values, (SHARE, RMSE), None)) == ["wins"]


@pytest.mark.parametrize("measure", ["constant", "log_ratio", "wins"])
def test_intervals_of_companions_hold_the_truth(measure: str) -> None:
    """Errors lower by 10 % on both tasks on average, by a spread over seeds that method and baseline share in part."""
    rng, held, samples, n = np.random.default_rng(1), 0, 1500, 8
    tasks = (RMSE, Task("f", "mae", "", False))
    level, noise = np.array([2.0, 30.0]), 0.2
    truth = {"constant": 10 / 3, "log_ratio": -100 * math.log(0.9), "wins": 0.0}[measure]
    for _ in range(samples):
        common, own = rng.normal(size=(n, 2)), rng.normal(size=(2, n, 2))
        ours, single = level * (1 + noise * (0.6 * common + 0.8 * own))
        ours = ours * (1.0 if measure == "wins" else 0.9)
        interval = mean_interval(companions(ours, single, tasks, 3 * level)[measure].influence)
        held += interval is None or interval.contains(truth)
    assert held / samples == pytest.approx(0.95, abs=0.02)


def near_zero(gain: float, seeds: int = 8) -> Sample:
    """A baseline whose ink is a ten-thousandth of what every method has."""
    made = sample(methods={"a": gain, "b": gain}, epochs=1, seeds=seeds)
    for row in made.records:
        if row["baseline"] and row["task"] == "ink" and row["split"] == "test" and row["main"]:
            row["value"] *= 1e-4
    return made


def test_without_delta_m_the_verdict_rests_on_another_measure() -> None:
    evidence = gather(*near_zero(1.0).frames())
    found = evidence.of("digits")[0]
    assert found.relative is None
    assert (found.measure, found.outcome) == ("log_ratio", "worse")  # an error of 1e-4 is far below one of 11
    assert any("ink alone makes up" in flag for flag in found.flags)
    said = str(section(evidence).statements[0])
    assert "Joint training hurt on digits" in said
    assert "judged without Δm, a and b: mean log-ratio of error" in said
    assert "without Δm, a and b: the single-task value of ink (rmse) is near zero" in said


def test_the_constant_predictor_stands_in_first() -> None:
    made = near_zero(1.0)
    for task, spec, value in (("digit", "accuracy", 10.0), ("parity", "accuracy", 50.0), ("ink", "rmse", 1e6)):
        row = next(r for r in made.records if r["task"] == task and r["metric"] == spec and r["method"] == "a")
        row = row | {"trial": f"constant/{task}", "method": "constant", "reference": True, "value": value}
        made.records.append(row | {"split": "test", "main": True, "step": 0})
        trial = next(t for t in made.trials if t["method"] == "a")
        made.trials.append(trial | {"trial": f"constant/{task}", "method": "constant", "reference": True})
    for row in (*made.records, *made.trials):
        row.setdefault("role", "")
    found = gather(*made.frames()).of("digits")[0]
    assert found.measure == "constant"
    assert found.outcome == "better"  # an rmse of 11 is nothing to a constant's million
    assert found.companions["constant"].per_task[2] == pytest.approx(-100 * 11 / 1e6, rel=0.1)


def test_tasks_won_decide_where_there_is_no_error() -> None:
    made = near_zero(5.0)  # beyond 100 %, where a share has no error
    found = gather(*made.frames()).of("digits")[0]
    assert found.measure == "wins"
    assert found.judged is not None
    assert found.judged.differences == pytest.approx([100 / 3] * 8)  # two tasks won, one lost, on every seed
    assert found.outcome == "better"
    assert gather(*near_zero(5.0, seeds=5).frames()).of("digits")[0].outcome == "few"
