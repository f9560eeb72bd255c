"""docs/methods.md is what its script writes today, and what it says of peers and papers holds."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import torchjd.aggregation
import torchjd.scalarization

from mtlbench.core.config import Config
from mtlbench.screen.catalogue import Listed, catalogue

ROOT = Path(__file__).parent.parent
FAMILIES = {"Aggregator", "GramianWeightedAggregator", "Scalarizer", "WeightedAggregator", "Weighting"}


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "make_methods.py"))


@pytest.fixture(scope="module")
def rows() -> list[Listed]:
    return list(catalogue())


def test_the_page_is_current(script: dict[str, Any], rows: list[Listed]) -> None:
    written = (ROOT / "docs" / "methods.md").read_text()
    assert written == script["page"](rows), "out of date: python docs/make_methods.py > docs/methods.md"


def test_peers_are_compared_with_entries_that_exist(script: dict[str, Any], rows: list[Listed]) -> None:
    named = {(room, name) for room, have in script["HAVE"].items() for name in have}
    assert named <= {(row.room, row.name) for row in rows}
    assert {row.room for row in rows} - {"kernels"} == set(script["ROOMS"])


def test_the_page_has_everything_that_torchjd_exports_and_nothing_else(script: dict[str, Any]) -> None:
    exported = {*torchjd.aggregation.__all__, *torchjd.scalarization.__all__} - FAMILIES
    named = script["names"]("weightings", 1)
    assert named <= exported
    assert {name.removesuffix("Weighting") for name in exported} == {name.removesuffix("Weighting") for name in named}


def test_the_readme_counts_as_the_tables_do(rows: list[Listed]) -> None:
    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| methods ("))
    counted = re.findall(r"(\d+) (\w+)", line.split("|")[2])
    assert len(counted) > 1
    for number, room in counted:
        assert int(number) == sum(row.room == room for row in rows), room


@pytest.mark.parametrize(
    ("text", "paper"),
    [
        (
            "Source: Liu et al., Title, ICML 2024, equation 3;\ncode. As in Li, 2020.",
            "Liu et al., Title, ICML 2024",
        ),
        ("Sources: A. Lee, On X, 1991;\n    as B, 2001 (p. 3).", "A. Lee, On X, 1991; as B, 2001"),
        ("Source: Sang, Introduction to CoNLL-2000, CoNLL 2000.", "Sang, Introduction to CoNLL-2000, CoNLL 2000"),
        ("Nobody said it first.", ""),
    ],
)
def test_papers_are_read_from_docstrings(text: str, paper: str) -> None:
    assert type("Entry", (Config,), {"__doc__": f"Does it.\n\n    {text}\n"}).paper() == paper


def test_every_source_is_a_paper_with_a_year(rows: list[Listed]) -> None:
    papers = [row.paper for row in rows if row.paper]
    assert len(papers) > len(rows) / 2
    assert all(re.fullmatch(r"[^;]+\d{4}(; [^;]+\d{4})*", paper) and len(paper) < 400 for paper in papers)
