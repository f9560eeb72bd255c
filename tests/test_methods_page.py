"""The page of methods has every entry, and what it says of peers and papers holds."""

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


def test_every_entry_has_one_row_of_its_table(script: dict[str, Any], rows: list[Listed]) -> None:
    text = script["page"](rows)
    for room, section in zip(script["ROOMS"], text.split("\n## ")[1:], strict=True):
        assert section.startswith(f"{room.capitalize()}\n")
        table = [line for line in section.splitlines() if line.startswith("|")]
        first = [line.split(" | ")[0].removeprefix("| ").strip("`") for line in table[2:]]
        assert first == [row.name for row in rows if row.room == room]
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
        assert len(columns) == 1, f"{room}: rows of different length"


def test_an_entry_that_no_peer_has_needs_no_word_here(script: dict[str, Any], rows: list[Listed]) -> None:
    text = script["page"]([*rows, Listed("weightings", "brand_new", "Does it anew.", "")])
    assert re.search(r"^\| `brand_new` \| Does it anew\. \|( – \|)+$", text, re.MULTILINE)


def test_peers_are_compared_with_entries_that_exist(script: dict[str, Any], rows: list[Listed]) -> None:
    named = {(room, name) for room, have in script["HAVE"].items() for name in have}
    assert named <= {(row.room, row.name) for row in rows}
    assert {row.room for row in rows} - {"kernels"} == set(script["ROOMS"])


def test_the_page_has_everything_that_torchjd_exports_and_nothing_else(script: dict[str, Any]) -> None:
    exported = {*torchjd.aggregation.__all__, *torchjd.scalarization.__all__} - FAMILIES
    named = script["names"]("weightings", 1)
    assert named <= exported
    assert {name.removesuffix("Weighting") for name in exported} == {name.removesuffix("Weighting") for name in named}


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
    class Entry(Config):
        pass

    Entry.__doc__ = f"Does it.\n\n    {text}\n"
    assert Entry.paper() == paper


def test_every_source_is_a_paper_with_a_year(rows: list[Listed]) -> None:
    papers = [row.paper for row in rows if row.paper]
    assert len(papers) > len(rows) / 2
    assert all(re.fullmatch(r"[^;]+\d{4}(; [^;]+\d{4})*", paper) and len(paper) < 400 for paper in papers)
