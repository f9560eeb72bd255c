"""Published numbers beside what was measured: which were met, and by which rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.evidence.literature import Comparison
from mtlbench.report.evidence.statistics import mean_interval
from mtlbench.report.sections import literature, pooled
from tests.report.samples import TASKS, Sample, sample, with_references

ENTRY: dict[str, Any] = {
    **{"problem": "digits", "task": "digit", "method": "equal", "metric": "accuracy", "value": 90.0, "tolerance": 1.0},
    **{"source": "A paper, table 3", "setup": "ten folds"},
}


def judged(made: Sample, *entries: dict[str, Any]) -> tuple[Comparison, ...]:
    return evidence_of(made, *entries).literature


def evidence_of(made: Sample, *entries: dict[str, Any]) -> Evidence:
    made.suite = {**made.suite, "literature": [ENTRY | entry for entry in entries]}
    return gather(*made.frames())


def measured(values: list[float], task: str = "digit") -> Sample:
    """Method ``equal`` with these test values of one task, by seed."""
    made = sample({"equal": 0.0}, seeds=len(values), epochs=1)
    for row in made.records:
        if (row["method"], row["task"], row["split"], row["main"]) == ("equal", task, "test", True):
            row["value"] = values[row["seed"]]
    return made


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([89.9, 90.0, 90.1], "met"),
        ([89.1, 89.2, 89.0], "met"),  # at the edge of the range, 89 to 91
        ([88.8, 88.9, 89.0], "met"),  # the mean is worse than the range, the interval, narrower than the range, is not
        ([85.0, 85.1, 85.2], "not met"),
        ([95.0, 95.1, 95.2], "better"),
        ([80.0, 90.0, 82.0], "undecided"),  # an interval of ± 13 would reach any range
        ([80.0, 99.0, 93.0], "met"),  # the mean lies in the range
        ([90.0, 90.1], "undecided"),  # too few for an interval
        ([90.0, 90.0, 90.0], "met"),  # without any spread the value itself
        ([88.0, 88.0, 88.0], "not met"),
    ],
)
def test_met_is_a_matter_of_the_interval_and_the_range(values: list[float], outcome: str) -> None:
    (found,) = judged(measured(values), {})
    assert found.outcome == outcome
    assert found.mean == pytest.approx(np.mean(values))
    assert found.seeds == len(values)
    assert found.interval == mean_interval(values)


@pytest.mark.parametrize("shift", [-3.0, -1.2, 0.0, 1.2, 3.0])
def test_where_less_is_better_the_rule_is_mirrored(shift: float) -> None:
    values = [10.0 + shift, 10.1 + shift, 9.9 + shift]
    (lower,) = judged(measured(values, "ink"), {"task": "ink", "metric": "rmse", "value": 10.0})
    (higher,) = judged(measured([-v for v in values]), {"value": -10.0})
    assert (lower.outcome, lower.higher, higher.higher) == (higher.outcome, False, True)
    assert (shift < 0, lower.outcome) in [(True, "better"), (True, "met"), (False, "met"), (False, "not met")]


def test_several_tasks_are_their_mean_over_the_seeds_that_have_all() -> None:
    made = sample({"equal": 0.0}, tasks={name: TASKS[name] for name in ("digit", "parity")}, seeds=4, epochs=1)
    lost = ("equal", 2, "parity")
    made.records = [row for row in made.records if (row["method"], row["seed"], row["task"]) != lost]
    chosen = [r for r in made.records if r["method"] == "equal" and r["split"] == "test" and r["main"]]
    by_seed = [np.mean([r["value"] for r in chosen if r["seed"] == seed]) for seed in (0, 1, 3)]
    (found,) = judged(made, {"task": None, "spread": 0.1, "tolerance": None})
    assert found.mean == pytest.approx(np.mean(by_seed))
    assert found.seeds == 3


def test_rows_of_all_tasks_are_those_of_the_pooled_table() -> None:
    tasks = dict.fromkeys(("a", "b"), ("rmse", "points", False, 10.0, 0.4))
    made = sample({"equal": 1.0}, tasks=tasks, seeds=3, epochs=1)
    for row in list(made.trials):
        for task in row["tasks"]:
            for metric, value in (("test_rows", 20.0 + len(task)), ("test_mean", 30.0), ("test_variance", 144.0)):
                fact = {"split": "", "task": task, "other": "", "metric": metric, "value": value, "unit": "", "step": 0}
                made.records.append(row | fact | {"main": False, "higher_is_better": None})
    entries = [{"task": None, "over": "rows", "metric": metric} for metric in ("rmse", "explained variance")]
    evidence = evidence_of(made, *entries)
    part = pooled.section(evidence)
    assert part is not None
    raw = part.tables[0].raw
    for found in evidence.literature:
        (expected,) = raw[(raw["metric"] == found.number.metric) & (raw["method"] == "equal")].to_dict("records")
        assert found.mean == pytest.approx(expected["mean"])
        assert (found.unit, found.higher) == (expected["unit"], expected["higher_is_better"])


def test_references_and_the_baseline_have_numbers_too() -> None:
    made = with_references(sample({"equal": 0.0}, seeds=3, epochs=1), {"boosting": {"digit": 99.0}})
    boosting, single = judged(made, {"method": "boosting"}, {"method": "single-task"})
    assert boosting.outcome == "better"
    assert boosting.mean == pytest.approx(99, abs=0.5)
    assert single.seeds == 3


@pytest.mark.parametrize(
    "entry", [{"method": "gone"}, {"task": "gone"}, {"metric": "auc"}, {"over": "rows", "task": None}]
)
def test_what_was_not_measured_is_said_and_not_judged(entry: dict[str, Any]) -> None:
    evidence = evidence_of(measured([90.0, 90.1, 90.2]), entry)
    (found,) = evidence.literature
    assert (found.outcome, found.seeds) == ("not measured", 0)
    part = literature.section(evidence)
    assert part is not None
    assert "No published number could be judged" in part.statements[0].text


def test_what_is_not_comparable_is_shown_and_not_judged() -> None:
    far = {"comparable": False, "differs": "other rows", "value": 10.0}
    evidence = evidence_of(measured([90.0, 90.1, 90.2]), far, {})
    assert [found.outcome for found in evidence.literature] == ["not comparable", "met"]
    part = literature.section(evidence)
    assert part is not None
    assert part.statements[0].text.startswith("1 of 1 published numbers")
    row = part.tables[0].panels[0].rows[0]
    assert {"other rows", "A paper, table 3", "ten folds", "not comparable"} <= {cell.text for cell in row}


def test_the_statement_names_what_was_missed() -> None:
    part = literature.section(evidence_of(measured([90.0, 90.1, 90.2]), {}, {"value": 99.0}, {"value": 70.0}))
    assert part is not None
    (said,) = part.statements
    assert said.text == "2 of 3 published numbers that this run can judge were met."
    assert said.points == ("not met: digits, digit accuracy [%] of equal",)
    raw = part.tables[0].raw
    assert list(raw["outcome"]) == ["met", "not met", "better"]
    assert raw["spread"].isna().all()


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"value": 34.37, "spread": 0.4, "tolerance": None}, "34.37 ± 0.4"),
        ({"value": 1.8, "tolerance": 0.25}, "1.8 (tol. 0.25)"),
        ({"value": 90, "tolerance": 0}, "90 (tol. 0)"),
        ({"value": -0.5, "tolerance": 1e-7}, "−0.5 (tol. 1e−07)"),
        ({"value": 12345.0, "tolerance": 10}, "12,345 (tol. 10)"),
    ],
)
def test_published_numbers_keep_their_digits(entry: dict[str, Any], text: str) -> None:
    part = literature.section(evidence_of(measured([90.0, 90.1, 90.2]), entry))
    assert part is not None
    assert part.tables[0].panels[0].rows[0][3].text == text


def test_problems_that_are_not_planned_and_suites_without_numbers_have_no_part() -> None:
    assert literature.section(evidence_of(measured([90.0] * 3), {"problem": "elsewhere"})) is None
    assert literature.section(gather(*measured([90.0] * 3).frames())) is None
