"""What the report says of candidates."""

from __future__ import annotations

from mtlbench.report import build
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.sections.tuning import section
from tests.contracts.test_sections import SMALL, tuned

from ..samples import number, sample


def test_candidates_are_shown_and_stay_out_of_everything_else() -> None:
    plain, with_candidates = build(*sample(**SMALL).frames()), build(*tuned())
    assert with_candidates.tables["methods"].raw.equals(plain.tables["methods"].raw)
    assert with_candidates.tables["tasks"].raw.equals(plain.tables["tasks"].raw)
    raw = with_candidates.tables["tuning"].raw.set_index(["method", "choice"])
    counts = ("chosen", "choices", "failed")
    assert [number(raw, ("equal", "lr=1"), column) for column in counts] == [3, 3, 0]
    assert [number(raw, ("single-task", "lr=2"), column) for column in counts] == [0, 6, 6]
    assert 0 < number(raw, ("equal", "lr=1"), "score") < 1
    assert raw["score"].isna().sum() == 6


def test_the_budget_is_said() -> None:
    part = section(gather(*tuned()))
    assert part is not None
    assert str(part.statements[0]) == "On digits every method, the baseline too, chose from 3 candidates."
    records, trials, *rest = tuned()
    fewer = trials[~((trials["method"] == "random") & (trials["choice"] == "lr=3"))]
    part = section(gather(records, fewer, *rest))
    assert part is not None
    assert part.statements[0].tone == "warning"
    assert "single-task from 3, equal from 3 and random from 2" in str(part.statements[0])


def test_nothing_is_said_where_nothing_was_tried() -> None:
    assert section(gather(*sample(**SMALL).frames())) is None


def test_choices_at_an_end_of_what_was_tried_are_told() -> None:
    part = section(gather(*tuned()))
    assert part is not None
    told = str(part.statements[1])
    assert "at an end of what was tried" in told
    assert "equal (lr=1)" in told
    records, trials, *rest = tuned()
    middle = trials.assign(choice=trials["choice"].replace({"lr=1": "lr=2", "lr=2": "lr=1"}))
    part = section(gather(records, middle, *rest))
    assert part is not None
    assert len(part.statements) == 1
    names = trials.assign(choice=trials["choice"].str.replace("lr=", "hidden=wide"))
    part = section(gather(records, names, *rest))
    assert part is not None
    assert len(part.statements) == 1
