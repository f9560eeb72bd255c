"""What was compared: only what differs is a column, and what is common is said."""

from __future__ import annotations

from typing import Any

from mtlbench.report.evidence.evidence import gather
from mtlbench.report.sections.settings import settings as section
from mtlbench.report.writing.parts import Table
from tests.report.samples import TASKS, Sample, sample, settings

METHODS = {"equal": 0.4, "dwa": 0.1, "other": -6.0}


def made(**parts: Any) -> Sample:
    """A run in which the method "other" has these parts; ``parts`` by seed may be callable."""
    found = sample(methods=METHODS, epochs=1, seeds=2, tasks={"ink": TASKS["ink"]})
    for row in found.trials:
        same = {"weighting": {"name": "equal"}}
        own = {k: v(row["seed"]) if callable(v) else v for k, v in parts.items()}
        row["settings"] = settings(row, **(same | own if row["method"] == "other" else same))
    return found


def table(found: Sample) -> Table:
    compared = section(gather(*found.frames()))
    assert compared is not None
    return compared


def column(found: Sample, title: str) -> dict[str, str]:
    frame = table(found).panels[0].text
    return dict(zip(frame["method"], frame[title], strict=True))


def test_what_is_common_is_said_and_no_column() -> None:
    found = made(schedule={"name": "cosine", "warmup": 3})
    assert list(table(found).panels[0].text) == ["method", "architecture", "schedule"]
    assert table(found).caption.endswith(
        "Common to all methods: learner gradient, weighting equal, optimizer adam and penalty none."
    )
    assert column(found, "schedule") == {
        "single-task": "constant", "equal": "constant", "dwa": "constant", "other": "cosine",
    }  # fmt: skip


def test_empty_parts_are_no_columns_and_nothing_in_common() -> None:
    found = made()
    for row in found.trials:
        row["settings"] = settings(row, architecture={}, weighting={}, optimizer={}, schedule={})
    assert list(table(found).panels[0].text) == ["method"]
    assert "Common to all methods: learner gradient and penalty none." in table(found).caption


def test_parameters_that_differ_between_entries_of_one_name_are_shown() -> None:
    found = made(optimizer=lambda seed: {"name": "adam", "lr": 0.1 if seed else 0.3, "betas": [0.9]})
    assert column(found, "optimizer")["other"] == "adam (lr=0.3 or 0.1, betas=[0.9])"
    assert column(found, "optimizer")["equal"] == "adam"


def test_a_part_without_a_name_is_told_by_its_parameters() -> None:
    assert column(made(heads={"rule": "own"}), "heads") == {
        "single-task": "", "equal": "", "dwa": "", "other": "rule='own'",
    }  # fmt: skip


def test_a_trunk_is_named_by_its_method_or_file() -> None:
    trunk = "digits/equal/ink/eager/0"
    assert column(made(start={"trial": trunk, "freeze": True}), "init_from") == {
        "single-task": "", "equal": "", "dwa": "", "other": "from equal, frozen",
    }  # fmt: skip
    assert column(made(start={"file": "a/trunk.pt", "sha256": "0", "freeze": False}), "init_from")["other"] == (
        "from a/trunk.pt"
    )


def test_problems_say_what_they_have_in_common_apart() -> None:
    found = sample(methods={"equal": 0.4}, problems=("one", "two"), epochs=1, seeds=1, tasks={"ink": TASKS["ink"]})
    for row in found.trials:
        row["settings"] = settings(row, penalty={"name": "l2" if row["problem"] == "two" else "none"})
    said = table(found).caption
    assert "Common to all methods on one: learner gradient, weighting equal, optimizer adam, schedule constant" in said
    assert "and penalty l2" in said.split("Common to all methods on two: ")[1]
