"""References: seen beside the methods, counted nowhere, and judged task by task."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mtlbench.report import build
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.evidence.references import Contest
from mtlbench.report.evidence.statistics import mean_interval
from tests.report.samples import Sample, sample, with_references

pytestmark = pytest.mark.usefixtures("unrendered")

METHODS = {"equal": 0.4, "random": -2.0}  # about a single-task digit accuracy of 96.8 % and an rmse of 11.2
FLOOR, NEAR, BEST = {"digit": 10.0, "parity": 50.0, "ink": 60.0}, {"ink": 10.0}, {"digit": 99.9, "parity": 60.0}


def small(seeds: int = 5) -> Sample:
    return sample(methods=METHODS, seeds=seeds, epochs=1)


def contest(evidence: Evidence, name: str, task: str) -> Contest:
    (reference,) = (one for one in evidence.references if one.name == name)
    return next(one for one in reference.contests if one.task.name == task)


def test_methods_are_judged_as_if_no_reference_were_there() -> None:
    alone, beside = gather(*small().frames()), gather(*with_references(small(), {"constant": FLOOR}).frames())
    plainly = [[repr(replace(delta, companions={})) for delta in each.deltas] for each in (alone, beside)]
    assert plainly[0] == plainly[1]
    assert alone.order("digits") == beside.order("digits")
    assert alone.data.engines == beside.data.engines
    plain, more = build(*small().frames()), build(*with_references(small(), {"constant": FLOOR}).frames())
    assert plain.verdict == more.verdict
    for name in ("pairwise", "throughput"):
        assert plain.tables[name].raw.equals(more.tables[name].raw)


@pytest.mark.parametrize("value", [9.0, 14.0])  # less error than every network, and more
def test_the_gap_is_that_of_the_best_method_paired_by_seed(value: float) -> None:
    evidence = gather(*with_references(small(), {"constant": {**FLOOR, "ink": value}}).frames())
    found = contest(evidence, "constant", "ink")
    data = evidence.data
    own = data.scores("digits", "constant", "cpu")["ink"]
    gaps = {m: (own - data.scores("digits", m, "eager")["ink"]).to_numpy() for m in data.methods("digits")}
    best = max(gaps, key=lambda method: gaps[method].mean())
    assert (found.method, found.seeds) == (best, 5)
    assert found.gap == pytest.approx(gaps[best].mean())
    assert found.interval == mean_interval(gaps[best])
    intervals = [mean_interval(gap) for gap in gaps.values()]
    assert found.unbeaten == all(interval is None or interval.low <= 0 for interval in intervals) == (value < 10)
    assert found.ahead == all(interval is not None and interval.high < 0 for interval in intervals) == (value < 10)


def test_delta_m_is_that_of_a_method_with_the_same_scores() -> None:
    made = with_references(small(), {"boosting": {"digit": 95.0, "parity": 96.0, "ink": 12.0}})
    (reference,) = gather(*made.frames()).references
    for row in (*made.records, *made.trials):
        row["reference"] = False
    same = next(delta for delta in gather(*made.frames()).deltas if delta.method == "boosting")
    assert reference.delta.mean == same.mean
    assert reference.delta.interval == same.interval
    assert math.isnan(reference.delta.rank)
    assert math.isnan(reference.delta.p_holm)


def test_a_floor_that_no_method_beats_is_said_and_one_that_some_method_beats_is_not() -> None:
    said = build(*with_references(small(), {"constant": {**FLOOR, **NEAR}}).frames()).verdict
    (text,) = (text for text in said if "constant prediction" in text)
    assert "On digits, no method, single-task training included, is clearly better than a constant prediction" in text
    assert "on ink: " in text
    assert "digit accuracy" not in text
    assert not any(
        "constant" in text for text in build(*with_references(small(), {"constant": FLOOR}).frames()).verdict
    )


def test_a_strong_baseline_ahead_of_every_method_is_said() -> None:
    said = build(*with_references(small(), {"boosting": {**BEST, "ink": 11.2}}).frames()).verdict
    (text,) = (text for text in said if "boosting" in text)
    assert "On digits, boosting, fitted to every task apart, is clearly better than every method" in text
    assert "on digit: " in text


def test_nothing_is_said_of_too_few_seeds() -> None:
    said = build(*with_references(small(seeds=2), {"constant": {**FLOOR, **NEAR}}).frames()).verdict
    assert not any("constant" in text for text in said)


def test_tables_show_references_last_and_unmarked() -> None:
    report = build(*with_references(small(), {"constant": FLOOR, "boosting": {**BEST, "ink": 9.0}}).frames())
    for name in ("methods", "tasks"):
        table = report.tables[name]
        titles = [row[0].text for row in table.panels[0].rows]
        assert titles[-2:] == ["constant (floor)", "boosting (strong baseline)"]
        below = [cell for row in table.panels[0].rows[-2:] for cell in row]
        assert not any(cell.mark or cell.tie for cell in below)
        assert all(any(row[c].mark == "best" for row in table.panels[0].rows[:-2]) for c in (1,) if name == "tasks")
    raw = report.tables["methods"].raw
    assert raw.loc[raw["reference"], "method"].tolist() == ["constant", "boosting"]
    assert np.isnan(raw.loc[raw["reference"], "mean_rank"]).all()
    assert len(report.tables["references"].raw) == 6
