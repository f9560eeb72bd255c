"""Tables, files, and the three ways of writing them."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlbench.core.wording import clean, listing, plural
from mtlbench.report import build, write
from mtlbench.report.assemble import Report
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.evidence.statistics import Interval
from mtlbench.report.sections import methods
from mtlbench.report.writing import latex, markdown
from mtlbench.report.writing.csv import csv_table
from mtlbench.report.writing.format import (
    bracket,
    count,
    decimals_for,
    decimals_of_largest,
    memory,
    number,
    p_value,
    plus_minus,
    short,
)
from mtlbench.report.writing.parts import Cell, Column, Panel, Table, file_names, marked
from tests.report.samples import Frames, sample

NAN = float("nan")


@pytest.fixture(scope="module")
def frames() -> Frames:
    return sample(methods=3, engines=("eager", "fused"), seeds=8, epochs=2).frames()


@pytest.fixture(scope="module")
def report(frames: Frames) -> Report:
    return build(*frames)


def methods_text(frames: Frames) -> pd.DataFrame:
    part = methods.section(gather(*frames))
    assert part is not None
    return part.tables[0].text


def test_importing_the_report_is_cheap() -> None:
    code = "import sys, mtlbench.report; print({'pandas', 'matplotlib', 'scipy', 'jinja2'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_tables_hold_raw_numbers_and_text(report: Report) -> None:
    raw = report.tables["methods"].raw
    assert {"problem", "method", "engine", "delta_m", "delta_m_low", "mean_rank", "p_holm", "parameters"} <= set(raw)
    assert len(raw) == 1 + 2 * 3
    assert raw["delta_m"].dtype == np.float64
    text = report.tables["methods"].text
    assert "Δm [%]\u00a0↑" in text
    assert text.iloc[0, 0] == "single-task"
    assert {"methods", "tasks", "pairwise", "throughput"} <= set(report.tables)


def test_task_differences_are_paired_with_single_task(report: Report, frames: Frames) -> None:
    raw = report.tables["tasks"].raw
    row = raw[(raw["method"] == "equal") & (raw["metric"] == "rmse") & (raw["engine"] == "eager")].iloc[0]
    facts = frames[0]
    facts = facts[(facts["metric"] == "rmse") & (facts["split"] == "test") & (facts["engine"] == "eager")]
    by_method = {name: group.set_index("seed")["value"] for name, group in facts.groupby("method")}
    assert row["difference"] == pytest.approx((by_method["equal"] - by_method["single-task"]).mean())
    assert row["seeds"] == row["paired_seeds"] == 8


def test_stars_only_where_the_test_can_speak(frames: Frames) -> None:
    assert "*" in " ".join(methods_text(frames)["Δm [%]\u00a0↑"])
    few = sample(methods={"random": -9.0}, seeds=5, epochs=1).frames()
    assert "*" not in " ".join(methods_text(few)["Δm [%]\u00a0↑"])
    assert "p (Holm)" not in methods_text(few)


def test_write_leaves_every_file(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path)
    write(report, tmp_path)  # again, over the old files
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    tables = {f"tables/{name}.{ending}" for name in report.tables for ending in ("csv", "md", "tex")}
    assert found == tables | {f"figures/{name}.svg" for name in report.figures} | {"report.html", "report.md"}
    raw = pd.read_csv(tmp_path / "tables" / "methods.csv")
    assert raw["delta_m"].tolist() == pytest.approx(report.tables["methods"].raw["delta_m"].tolist())
    assert "Date" not in (tmp_path / "figures" / "delta_m.svg").read_text()


class Outline(HTMLParser):
    """Ids, links, void-aware nesting, and outside addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str | None] = []
        self.links: list[str] = []
        self.outside: list[dict[str, str | None]] = []
        self.heads = self.captions = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        if "src" in found or (tag == "link"):
            self.outside.append(found)
        if (address := found.get("href") or "").startswith("#"):
            self.links.append(address[1:])
        self.heads += tag == "th" and "scope" in found
        self.captions += tag == "caption"
        if tag not in {"meta", "br", "link", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_sound_and_self_contained(report: Report) -> None:
    page = Outline()
    page.feed(report.html)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    assert page.outside == []
    assert page.captions == report.html.count("<table")
    assert page.heads > 20
    assert report.html.count('role="img"') == len(report.figures)
    assert "@import" not in report.html


def test_latex_tables(report: Report) -> None:
    text = latex.latex_table(report.tables["tasks"])
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") >= 1
    assert r"\toprule" in text
    assert r"\textbf{" in text
    assert r"\underline{" in text
    assert r"digit accuracy [\%]~\ensuremath{\uparrow}" in text
    assert "8 seeds" in text
    body = text.split(r"\toprule")[1]
    counts = {line.count(" & ") for line in body.split(r"\bottomrule")[0].splitlines() if line.endswith(r"\\")}
    assert counts == {3}


def test_long_latex_tables_break_over_pages() -> None:
    panel = Panel("p", (Column("a", number=False),), tuple((Cell("[x]"),) for _ in range(50)))
    text = latex.latex_table(Table("t", "T", "c", pd.DataFrame(), (panel,)))
    assert r"\begin{longtable}{l}" in text
    assert "\n{}[x] \\\\" in text  # a bare bracket after \\ would be its option


@given(st.text(alphabet="ab\\&%$#_{}~^<>|\"[]*`'\n\x00é数", max_size=30))
def test_latex_leaves_no_command(text: str) -> None:
    plain = latex.escape(text)
    for known in set(latex._LETTERS.values()):
        plain = plain.replace(known, "")
    assert not set("\\&%$#_{}~^") & set(plain)


@given(st.text(alphabet="ab\\|*_`[]()<>&!\n\x00#-1.é数", max_size=30))
def test_markdown_stays_in_its_cell(text: str) -> None:
    escaped = markdown.escape(text)
    assert "\n" not in escaped
    assert "<" not in escaped
    assert not re.search(r"(?<!\\)(\\\\)*[|*_`]", escaped)


def test_markdown_report(report: Report) -> None:
    assert report.markdown.startswith("# quickstart\n")
    assert "| method | engine |" in report.markdown
    assert "](figures/delta_m.svg)" in report.markdown
    assert "Traceback" not in report.markdown


def test_marks() -> None:
    def cells(*values: float) -> list[Cell]:
        return [Cell(str(v), v) for v in values]

    assert [c.mark for c in marked(cells(1.0, 3.0, 2.0), True)] == ["", "best", "second"]
    assert [c.mark for c in marked(cells(1.0, 3.0, 2.0), False)] == ["best", "", "second"]
    assert [c.mark for c in marked(cells(3.0, 3.0, NAN), True)] == ["", "", ""]
    assert [c.mark for c in marked(cells(1.0, 2.0), None)] == ["", ""]


def test_ties_are_paired_by_seed() -> None:
    def tied(*values_by_seed: tuple[float, ...]) -> list[bool]:
        cells = [
            Cell("", sum(values) / len(values), Interval(0, 99), by_seed=dict(enumerate(values)))
            for values in values_by_seed
        ]
        return [cell.tie for cell in marked(cells, True)]

    assert tied((1.0, 50.0, 90.0), (2.1, 51.0, 91.0)) == [False, False]  # wide, but better with every seed
    assert tied((1.0, 52.0, 90.0), (2.1, 51.0, 91.0)) == [True, False]
    assert tied((1.0, 52.0), (2.1, 51.0)) == [False, False]  # too few to say


def test_numbers() -> None:
    assert number(-1234.5, 1) == "−1,234.5"
    assert number(-0.001, 1, sign=True) == "0.0"
    assert number(NAN, 2) == "–"
    assert plus_minus(97.2149, Interval(96.8, 97.6), 2) == "97.21 ± 0.40"
    assert bracket(1.25, Interval(0.4, 2.1), 1) == "+1.2 [+0.4, +2.1]"
    assert decimals_for([0.043, 0.05, 3.0]) == 3
    assert decimals_for([], [123.4]) == 1
    assert decimals_for([], []) == 0
    assert [decimals_of_largest(v) for v in ([0.0135, 3e-5], [27.3, NAN], [1234], [0.0])] == [4, 1, 0, 0]
    assert [short(v) for v in (0.0, 0.01234, 12345.0, 2.5e9, -1e-7)] == [
        "0",
        "0.0123",
        "12,345",
        "2.50e+09",
        "−1.00e−07",
    ]
    assert [memory(v) for v in (0, 512, 1536, 310 * 2**20, 5 * 2**50)] == [
        "0 B", "512 B", "1.5 KiB", "310 MiB", "5,120 TiB",
    ]  # fmt: skip
    assert p_value(0.0004) == "<0.001"
    assert count(18402.0) == "18,402"
    assert listing("abc") == "a, b and c"
    assert listing("abcdefgh", 3) == "a, b, c and 5 more"
    assert (plural(1, "seed"), plural(2000, "seed")) == ("1 seed", "2,000 seeds")


def test_lists_can_be_read_back_from_csv() -> None:
    names = [("price, EUR", 'a "b"'), ()]
    raw = pd.DataFrame({"tasks": names, "value": [0.1, NAN]})
    table = pd.read_csv(io.StringIO(csv_table(Table("t", "T", "c", raw, ()))))
    assert [tuple(json.loads(cell)) for cell in table["tasks"]] == names
    assert table["value"].equals(raw["value"])


def test_no_cell_is_a_formula_and_numbers_stay_numbers() -> None:
    evil = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1"]
    harmless = ["-3", "+2.5", "-1e-3", "-", "plain", "a=b", "λ"]
    raw = pd.DataFrame({"=name()": [*evil, *harmless], "value": [-1.5] * 15})
    table = pd.read_csv(io.StringIO(csv_table(Table("t", "T", "c", raw, ()))), dtype={"'=name()": str})
    assert [cell[0] for cell in table["'=name()"][:8]] == ["'"] * 8
    assert list(table["'=name()"][8:]) == harmless
    assert table["value"].equals(raw["value"])


def test_no_cell_of_a_csv_moves_a_cursor() -> None:
    nasty = "a\x1b[2J\x00\x9bb"
    raw = pd.DataFrame({"method": [nasty], "tasks": [(nasty,)], nasty: [1.5]})
    written = csv_table(Table("t", "", "", raw, ()))
    assert not {c for c in written if not c.isprintable()} - {"\n"}
    assert "1.5" in written


def test_file_names_are_safe_and_distinct() -> None:
    assert file_names(["digits"], "curves") == {"digits": "curves"}
    names = file_names(["a b", "a/b", "../../etc", "数字", "数"], "curves")
    assert len(set(names.values())) == 5
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names.values())


def test_clean_keeps_letters_and_drops_controls() -> None:
    assert clean("λ 数\x1b[0m\u202ex\n") == "λ 数\ufffd[0m\ufffdx "
    assert replace(Cell("a"), text=clean("\ud800")).text == "\ufffd"
