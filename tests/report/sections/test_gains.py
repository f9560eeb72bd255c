"""Shares of tasks, and gains by other measures, as tables show them."""

from __future__ import annotations

from typing import Any

import pytest

from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.sections.companions import section as companions_section
from mtlbench.report.sections.gains import section as gains_section
from mtlbench.report.writing.parts import Table
from tests.report.samples import TASKS, sample


def evidence(**options: Any) -> Evidence:
    return gather(*sample(**{"methods": {"good": 2.0, "bad": -5.0}, "epochs": 1, **options}).frames())


def shares(found: Evidence) -> Table:
    part = gains_section(found)
    assert part is not None
    return part.tables[0]


def test_the_tasks_gains_have_delta_m_for_a_mean_and_shares_that_sum_to_one() -> None:
    found = evidence()
    by_method = shares(found).raw.groupby("method")
    for delta in found.of("digits"):
        rows = by_method.get_group(delta.method)
        assert rows["gain"].mean() == pytest.approx(delta.mean)
        assert rows["share"].sum() == pytest.approx(1)
        assert (rows["gain"].abs() / rows["gain"].abs().sum()).tolist() == pytest.approx(rows["share"].tolist())


def test_every_task_has_a_column_and_the_best_method_comes_first() -> None:
    panel = shares(evidence()).panels[0]
    assert [column.title for column in panel.columns] == ["method", "digit [%]", "parity [%]", "ink [%]"]
    assert [row[0].text for row in panel.rows] == ["good", "bad"]
    assert all(cell.text.endswith(" %)") for row in panel.rows for cell in row[1:])


def test_of_many_tasks_the_largest_share_is_shown() -> None:
    tasks = {f"task {i}": ("rmse", "", False, 10.0, 0.3) for i in range(12)}
    found = sample(methods={"a": 0.0}, tasks=tasks, epochs=1)
    for row in found.records:
        if row["method"] == "a" and row["task"] == "task 7":
            row["value"] *= 2
    table = shares(gather(*found.frames()))
    assert [column.title for column in table.panels[0].columns][1:] == ["largest share", "its gain of 12 tasks [%]"]
    assert table.panels[0].rows[0][1].text == "task 7"
    assert len(table.raw) == 12


def test_one_task_has_no_shares() -> None:
    part = gains_section(evidence(tasks={"ink": TASKS["ink"]}))
    assert part is not None
    assert part.tables == ()


def test_other_measures_stand_beside_delta_m() -> None:
    found = evidence()
    part = companions_section(found)
    assert part is not None
    raw = part.tables[0].raw.set_index("method")
    assert (raw["judged_by"] == "delta_m").all()
    for delta in found.of("digits"):
        assert delta.relative is not None
        assert raw["median_task"][delta.method] == sorted(delta.relative.per_task)[1]
    assert raw["log_ratio"]["good"] > 0 > raw["log_ratio"]["bad"]
    texts = {row[0].text: row[2].text for row in part.tables[0].panels[0].rows}
    assert float(texts["good"].split()[0]) < 1 < float(texts["bad"].split()[0])  # as factors of error
    assert "of the constant's error [%]" not in [column.title for column in part.tables[0].panels[0].columns]
