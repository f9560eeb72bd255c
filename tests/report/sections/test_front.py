"""The section on problems with a known Pareto front."""

from __future__ import annotations

import pytest

from mtlbench.report.evidence.evidence import gather
from mtlbench.report.sections.front import section
from mtlbench.report.sections.verdict import section as verdict
from tests.report.samples import Frames, sample

METHODS = {"equal": 0.0, "mgda": 1.0}
ENDS = {
    ("equal", 0): (-5.0, 2.0, 18.0),
    ("equal", 1): (0.0, -8.4, 0.05),
    ("mgda", 0): (1.0, -8.3, 0.01),
    ("mgda", 1): (2.0, -8.3, 0.099),
}


def frames(scale: float = 0.1) -> Frames:
    made = sample(methods=METHODS, problems=("valley",), seeds=2, epochs=2)
    facts = {(row["method"], row["seed"]): row for row in made.records if not row["baseline"]}
    for (method, seed), end in ENDS.items():
        for step, point in enumerate([(9.0, 9.0, 30.0), end]):
            for metric, value in zip(("x1", "x2", "gap"), point, strict=True):
                facts_of = {**facts[method, seed], "split": "train", "task": "", "main": False, "step": step}
                made.records.append({**facts_of, "metric": metric, "value": value, "unit": ""})
    made.suite = {"methods": {"mgda": {"problem": [{"name": "toy", "label": "valley", "scale": scale}]}}}
    return made.frames()


def test_starts_that_reach_the_front_are_counted() -> None:
    part = section(gather(*frames()))
    assert part is not None
    raw = part.tables[0].raw.set_index("method")
    assert raw["reached"].to_dict() == {"equal": 1, "mgda": 2}
    assert raw["starts"].to_dict() == {"equal": 2, "mgda": 2}
    assert raw["largest_gap"].to_dict() == pytest.approx({"equal": 18.0, "mgda": 0.099})


def test_the_verdict_says_who_reaches_the_front() -> None:
    (said,) = (each for each in verdict(gather(*frames())).statements if "Pareto" in each.text)
    assert said.text == "On valley 1 of 2 methods reached the Pareto front from every start."
    assert said.points == ("from every start: mgda", "starts that reached it: equal 1/2")


def test_ways_are_drawn_where_the_suite_names_the_formulas() -> None:
    part = section(gather(*frames()))
    assert part is not None
    assert len(part.figures) == 1
    assert all(f">{name}<" in part.figures[0].svg for name in ("mgda", "x1", "x2"))
    records, trials, environments, _ = frames()
    silent = section(gather(records, trials, environments, {}))
    assert silent is not None
    assert silent.figures == ()


def test_other_problems_have_no_such_section() -> None:
    assert section(gather(*sample(methods=METHODS, seeds=2).frames())) is None
