"""Every section of the report, on every kind of input that a run can leave behind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mtlbench.core.record import CORRELATION, COSINE, LOOKAHEAD_AFFINITY
from mtlbench.report import build
from mtlbench.report.assemble import parts_of, section
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.sections import SECTIONS
from mtlbench.report.writing.html import page
from mtlbench.report.writing.latex import latex_table
from mtlbench.report.writing.markdown import markdown_report, markdown_table
from mtlbench.report.writing.parts import Part
from tests.report.points import with_points
from tests.report.samples import TASKS, Sample, sample, settings, with_kernels, with_references

Frames = tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]  # as gather takes them
INJECTION = '<script>alert("x")</script>&amp;"\'$x^2$ \\input{a} |_*`[a](b)` \u202eλ数字🎲\x00\x1b[31m\n# h'
SIZE: dict[str, Any] = {"epochs": 2, "seeds": 3, "tasks": {name: TASKS[name] for name in ("digit", "ink")}}
SMALL: dict[str, Any] = {"methods": {"equal": 0.4, "random": -2.0}, **SIZE}


def full() -> Frames:
    return sample(methods=3, problems=("digits", "toy"), engines=("eager", "fused"), **SIZE).frames()


def kernels_beside_methods() -> Frames:
    return with_kernels(sample(**SMALL), devices=("cpu", "cuda")).frames()


def kernels_alone() -> Frames:
    return with_kernels(Sample(suite={"suite": "k"}), processes=1, shared=True).frames()


def kernels_of_ours_alone() -> Frames:
    records, trials, environments, suite = with_kernels(Sample()).frames()
    return records[records["task"].isin(["fused", "copy", ""])], trials, environments, suite


def kernels_in_nonsense() -> Frames:
    records, trials, environments, suite = with_kernels(Sample()).frames()
    records.loc[records["metric"] == "call_seconds", "value"] = 0.0
    records.loc[records["step"] == 3, "value"] = np.nan
    return records, trials, environments, suite


def kernels_failed() -> Frames:
    made = with_kernels(Sample())
    for row in made.trials:
        row |= {"status": "failed", "error": "MtlbenchError: no contender could be timed", "traceback": "T"}
    return Sample([], made.trials, {}, {}).frames()


def empty() -> Frames:
    records, trials, _, _ = sample(**SMALL).frames()
    return records.iloc[:0], trials.iloc[:0], {}, {}


def bare() -> Frames:
    return pd.DataFrame(), pd.DataFrame(), {}, {}


def one_seed() -> Frames:
    return sample(methods=2, seeds=1, epochs=1).frames()


def one_task() -> Frames:
    return sample(**SMALL | {"tasks": {"ink": TASKS["ink"]}}).frames()


def tuned() -> Frames:
    """Candidates of both methods on each seed: failed, missing, and the one that was chosen."""
    made = sample(**SMALL)
    plain, facts = list(made.trials), list(made.records)
    for trial in plain:
        trial |= {"role": "", "choice": "lr=1", "part": ""}
        for choice, status in (("lr=1", "ok"), ("lr=2", "failed"), ("lr=3", "missing")):
            name = f"{trial['trial']}/{choice}"
            made.trials.append(trial | {"trial": name, "role": "candidate", "choice": choice, "status": status})
            same = [fact for fact in facts if fact["trial"] == trial["trial"] and status == "ok"]
            made.records += [fact | {"trial": name, "role": "candidate"} for fact in same]
    return made.frames()


def paired(**factors: float) -> Frames:
    """A pair of tasks whose main test metrics are the single-task ones times a factor, and a look at gradients."""
    made = sample(**SMALL)
    factors = factors or {"digit": 1.02, "ink": 0.95}
    single = {(f["seed"], f["task"]): f for f in made.records if f["baseline"] and f["main"] and f["split"] == "test"}
    for trial in [trial for trial in made.trials if trial["method"] == "equal"]:
        shown = {"role": "affinity", "baseline": False, "method": "equal"}
        for what, tasks in (("digit + ink", ("digit", "ink")), ("gradients", ("digit", "ink", "more"))):
            name = f"{trial['trial']}/{what}"
            made.trials.append(trial | shown | {"trial": name, "choice": what, "tasks": tasks})
            for task, factor in factors.items():
                fact = single[trial["seed"], task] | shown | {"trial": name}
                other = "ink" if task == "digit" else "digit"
                look = fact | {"split": "train", "main": False, "step": 1, "other": other}
                made.records += [
                    fact | {"value": factor * fact["value"], "main": what != "gradients"},
                    look | {"metric": COSINE, "value": 0.25},
                    look | {"metric": LOOKAHEAD_AFFINITY, "value": 0.01 if task == "digit" else 0.03},
                ]
    for row in (*made.trials, *made.records):
        row.setdefault("role", "")
    return made.frames()


def scalarized() -> Frames:
    """A frontier of three tasks: points that are as good as equal weights, one that failed, one without a seed."""
    return with_points(sample(methods=2, seeds=4, epochs=2), {"a": (0, 0, 0), "b": (1, -1, 0), "c": (-1, 0, 1)})


def beside_the_literature(text: str = "A paper, table 3", problem: str = "digits", method: str = "equal") -> Frames:
    """Published numbers of one task, of all, of their rows, of nothing that was measured, and one not comparable."""
    made = sample(**SMALL)
    entry = {"problem": problem, "method": method, "metric": "accuracy", "value": 96.5, "source": text, "setup": text}
    given = entry | {"spread": 0.5, "differs": text}
    made.suite["literature"] = [
        given | {"task": "digit"},
        given | {"task": "digit", "method": "random", "comparable": False},
        given | {"task": "ink", "metric": "rmse", "value": 1e9},
        entry | {"tolerance": 0.0},
        entry | {"metric": "explained variance", "over": "rows", "tolerance": 1},
        given | {"method": text},
        given | {"problem": text},
    ]
    return made.frames()


def many_tasks() -> Frames:
    tasks = {f"school {i}": ("rmse", "points", False, 10.0 + i / 7, 0.3) for i in range(20)}
    return sample(methods=2, tasks=tasks, seeds=3, epochs=1).frames()


def related() -> Frames:
    made = sample(**SMALL)
    for row in list(made.trials):
        for task in row["tasks"]:
            made.records.append(row | {"split": "", "task": task, "metric": "test_rows", "value": 9.0, "step": 0})
        if row["method"] == "random":
            made.records.append(
                row
                | {"split": "train", "task": "digit", "other": "ink", "metric": CORRELATION, "value": 0.5, "step": 0}
            )
    for row in made.records:
        row["main"] = bool(row.get("main", False))
    return made.frames()


def of_one_task() -> Frames:
    """A method that is for one task of two alone."""
    made = sample(**SMALL)
    for row in made.trials:
        row |= {"tasks": ("digit",)} if row["method"] == "random" else {}
    made.records = [row for row in made.records if (row["method"], row["task"]) != ("random", "ink")]
    return made.frames()


def with_floor_and_boosting() -> Frames:
    """References beside two methods; one of them lacks a task, and one failed on a seed."""
    made = with_references(sample(**SMALL), {"constant": {"digit": 10.0, "ink": 30.0}, "boosting": {"digit": 99.0}})
    made.trials[-1] |= {"status": "failed", "error": "ValueError: no"}
    return made.frames()


def references_failed() -> Frames:
    made = with_references(sample(**SMALL), {"constant": {"digit": 10.0, "ink": 30.0}})
    for row in made.trials:
        row |= {"status": "failed", "error": "ValueError: no"} if row.get("reference") else {}
    return made.frames()


def failed_only() -> Frames:
    made = sample(**SMALL)
    for row in made.trials:
        row |= {"status": "failed", "error": "RuntimeError: out of memory", "traceback": "Traceback …\n  File x"}
    return Sample([], made.trials, {}, made.suite).frames()


def missing_only() -> Frames:
    made = sample(**SMALL)
    for row in made.trials:
        row |= {"status": "missing", "attempt": 0, "environment": ""}
    return Sample([], made.trials, {}, made.suite).frames()


def baseline_only() -> Frames:
    return sample(methods={}, seeds=3, epochs=2).frames()


def no_baseline() -> Frames:
    made = sample(**SMALL)
    made.trials = [row for row in made.trials if not row["baseline"]]
    return made.frames()


def baseline_failed_on_one_task() -> Frames:
    made = sample(**SMALL)
    for row in made.trials:
        if row["tasks"] == ("ink",):
            row |= {"status": "failed", "error": "ValueError: no"}
    return made.frames()


def nan() -> Frames:
    records, trials, environments, suite = sample(**SMALL).frames()
    return records.assign(value=np.nan), trials, environments, suite


def diverged() -> Frames:
    records, trials, environments, suite = sample(**SMALL).frames()
    chosen = (records["method"] == "random") & (records["seed"] == 1)
    records.loc[chosen, "value"] = np.inf
    records.loc[(records["method"] == "equal") & (records["task"] == "ink"), "value"] = 1e300
    return records, trials, environments, suite


def zeros() -> Frames:
    records, trials, environments, suite = sample(**SMALL).frames()
    return records.assign(value=0.0), trials, environments, suite


def constant() -> Frames:
    records, trials, environments, suite = sample(**SMALL).frames()
    return records.assign(value=5.0), trials, environments, suite


def negative() -> Frames:
    records, trials, environments, suite = sample(**SMALL).frames()
    return records.assign(value=-records["value"]), trials, environments, suite


def hostile() -> Frames:
    made = sample(
        methods={f"m{INJECTION}": 1.0, "equal": 0.1, f"n{INJECTION}": -1}, problems=(f"p{INJECTION}", "../q"), **SIZE
    )
    for row in (*made.records, *made.trials):
        row |= {"engine": f"e{INJECTION}", "suite": INJECTION, "optimizer": INJECTION}
    for row in made.records:
        row["task"] = row["task"] and f"t,{row['task']}{INJECTION}"
        row["metric"] = {"rmse": f"r{INJECTION}"}.get(row["metric"], row["metric"])
        row["unit"] = row["unit"] and INJECTION
    made.trials[0] |= {"status": "failed", "error": INJECTION, "traceback": f"{INJECTION}\n{INJECTION}"}
    for row in made.trials:
        row["notes"] = (INJECTION, "second")
        row["settings"] = settings(row, penalty={"name": INJECTION, INJECTION: row["seed"]}, start={"file": INJECTION})
        row["tasks"] = tuple(f"t,{name}{INJECTION}" for name in row["tasks"])
    made.environments = {INJECTION: {INJECTION: INJECTION, "a": {"b": [1, None]}}, "e1": {"a": {"b": 2}}}
    made.suite = {"suite": INJECTION, "description": INJECTION, "command": INJECTION, INJECTION: [INJECTION]}
    names = {"problem": f"p{INJECTION}", "method": f"m{INJECTION}", "task": f"t,digit{INJECTION}", "metric": "accuracy"}
    told = dict.fromkeys(("source", "setup", "differs"), INJECTION)
    made.suite["literature"] = [names | told | {"value": 9.0, "spread": 1.0}]
    return made.frames()


CASES: list[Callable[[], Frames]] = [
    full, tuned, paired, scalarized, kernels_beside_methods, kernels_alone, kernels_of_ours_alone, kernels_in_nonsense,
    kernels_failed, empty, bare, one_seed, one_task, many_tasks, beside_the_literature, related, of_one_task,
    with_floor_and_boosting, references_failed, failed_only, missing_only,
    baseline_only, no_baseline,
    baseline_failed_on_one_task, nan, diverged, zeros, constant, negative, hostile,
]  # fmt: skip


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.__name__)
def evidence(request: pytest.FixtureRequest) -> Evidence:
    return gather(*request.param())


@pytest.mark.parametrize("name", SECTIONS)
def test_section_gives_a_part_or_nothing(name: str, evidence: Evidence) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part = section(SECTIONS[name])(evidence)
    if part is None:
        return
    assert isinstance(part, Part)
    assert part.name == name
    for table in part.tables:
        for panel in (*table.panels, *table.folded):
            assert panel.rows
            assert {len(row) for row in panel.rows} == {len(panel.columns)}
        assert table.caption
        assert set(table.text.dtypes.astype(str)) <= {"str", "object"}
        assert "{\\input" not in latex_table(table)
        markdown_table(table)
    for figure in part.figures:
        assert figure.alt
        assert ElementTree.fromstring(figure.svg).tag.endswith("svg")


def test_sections_are_pure() -> None:
    frames = sample(**SMALL).frames()
    tables = frames[:2]
    before = [frame.copy(deep=True) for frame in tables]
    first, second = build(*frames), build(*frames)
    assert (first.html, first.markdown, first.figures) == (second.html, second.markdown, second.figures)
    for frame, copy in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(frame, copy)


def test_hostile_names_are_escaped_everywhere() -> None:
    parts = parts_of(gather(*hostile()))
    html = page(INJECTION, INJECTION, {INJECTION: INJECTION}, parts)
    assert html.count("<script>") == 1  # the page's own
    assert "alert(&#34;x&#34;)" in html
    markdown = markdown_report(INJECTION, INJECTION, {INJECTION: INJECTION}, parts)
    for text in (html, markdown, *(latex_table(table) for part in parts for table in part.tables)):
        assert not set("\x00\x1b\u202e") & set(text)
        assert "<script>alert" not in text
    assert "\n# h" not in markdown
    assert "](b)" not in markdown.replace("\\](b)", "")
    for part in parts:
        for figure in part.figures:
            assert "<script" not in figure.svg
            assert set(figure.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
