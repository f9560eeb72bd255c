from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mtlbench.report.evidence.evidence import gather
from mtlbench.report.sections.methods import section as methods_section
from mtlbench.report.sections.verdict import section
from tests.report.samples import sample

SPEC = ("rmse", "", False, 11.2, 0.35)
QUICK: dict[str, Any] = {"epochs": 1, "tasks": {"ink": SPEC, "slant": SPEC}}


def verdict(**options: Any) -> list[tuple[str, str]]:
    judged = {key: options.pop(key) for key in ("smallest_effect",) if key in options}
    records, trials, environments, suite = sample(**{**QUICK, **options}).frames()
    part = section(gather(records, trials, environments, {**suite, **judged}))
    return [(statement.tone, str(statement)) for statement in part.statements]


@pytest.mark.parametrize(
    ("methods", "tone", "start"),
    [
        (
            {"a": 9.0},
            "good",
            "Joint training helped on digits over 5 seeds (1 better): better than single-task: a +",
        ),
        (
            {"a": -9.0},
            "bad",
            "Joint training hurt on digits over 5 seeds (1 worse): worse than single-task: a −",
        ),
        (
            {"a": 0.0},
            "unclear",
            "Whether joint training helps on digits over 5 seeds is undecided (1 undecided): undecided: a",
        ),
        ({"a": 9.0, "b": -9.0}, "mixed", "On digits over 5 seeds, the method decides whether joint training helped"),
    ],
)
def test_verdict(methods: dict[str, float], tone: str, start: str) -> None:
    assert verdict(methods=methods)[0][0] == tone
    assert verdict(methods=methods)[0][1].startswith(start)


def test_verdict_gives_the_interval() -> None:
    assert "% [+" in verdict(methods={"a": 9.0})[0][1]


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_are_no_verdict(seeds: int) -> None:
    tone, text = verdict(methods={"a": 9.0}, seeds=seeds)[0]
    assert tone == "unclear"
    assert text.startswith("Too few seeds to judge joint training on digits: a +")
    assert "[" not in text


def test_too_few_seeds_for_significance_are_said() -> None:
    said = " ".join(text for _, text in verdict(methods={"a": 9.0}))
    assert "With 5 seeds no exact paired test can give p below 0.062" in said
    assert "needs 6 seeds" in said
    assert "exact paired test" not in " ".join(text for _, text in verdict(methods={"a": 9.0}, seeds=6))


def test_an_interval_without_zero_is_no_proof_among_many() -> None:
    evidence = gather(*sample(5, epochs=1).frames())
    uncertainty = next(delta for delta in evidence.of("digits") if delta.method == "uncertainty")
    assert uncertainty.interval is not None
    assert uncertainty.wide is not None
    assert not uncertainty.interval.contains(0)
    assert uncertainty.wide.contains(0)
    assert uncertainty.outcome == "undecided"
    said = section(evidence).statements[0].points
    assert any(text.startswith("undecided: ") and "uncertainty +" in text for text in said)


def test_no_baseline_no_verdict() -> None:
    found = sample(methods={"a": 9.0}, **QUICK)
    found.trials = [row for row in found.trials if not row["baseline"]]
    statement = section(gather(*found.frames())).statements[0]
    assert statement.tone == "warning"
    assert str(statement).startswith("Nothing can be said about joint training on digits")


def test_engines_are_judged_by_speed_and_accuracy() -> None:
    found = sample(methods={"a": 9.0}, engines=("eager", "fused"), **QUICK)
    said = [str(statement) for statement in section(gather(*found.frames())).statements]
    assert any("The fused engine trained on 2.3" in text and "eager's within 1 %" in text for text in said)
    for row in found.records:
        if row["engine"] == "fused" and row["split"] == "test":
            row["value"] *= 1.2
    said = [str(statement) for statement in section(gather(*found.frames())).statements]
    assert any("The fused engine changed accuracy: a on digits, ink: +20.0 %" in text for text in said)


def test_shared_machines_make_a_hint() -> None:
    said = verdict(methods={"a": 9.0}, engines=("eager", "fused"), alone=False)
    assert any("take this as a hint" in text for _, text in said)


def test_one_task_is_no_joint_training() -> None:
    found = verdict(methods={"a": 9.0}, tasks={"ink": SPEC})
    assert found == [("plain", "No verdict on digits, one task: nothing is trained jointly.")]


def test_what_has_no_delta_m_is_left_out_and_said() -> None:
    found = sample(methods={"a": 9.0, "b": 9.0, "c": 2.0}, **QUICK)
    for row in found.trials:
        row |= {"status": "failed"} if row["method"] != "a" and not row["baseline"] else {}
    assert "without Δm, b and c: no finished trial" in section(gather(*found.frames())).statements[0].points
    for row in found.records:
        row["value"] *= 1e-4 if row["baseline"] and row["task"] == "ink" and row["split"] == "test" else 1
    assert "the single-task value of ink (rmse) is near zero or uncertain" in str(
        section(gather(*found.frames())).statements[0]
    )


@pytest.mark.parametrize("seeds", [2, 5])
def test_gains_of_other_settings_are_not_credited_to_joint_training(seeds: int) -> None:
    found = sample(methods={"a": 9.0, "b": 9.0}, **QUICK, seeds=seeds)
    suite = {
        "optimizer": {"name": "adam"},
        "methods": {
            "a": {"train": {"epochs": 9}, "init_from": {"method": "b"}},
            "b": {"train": {"epochs": 3}},
        },
        "single_task": {"label": "single-task", "train": {"epochs": 3}},
    }
    records, trials, environments, _ = found.frames()
    evidence = gather(records, trials, environments, suite)
    said = str(section(evidence).statements[0])
    assert "not of joint training alone, for settings other than single-task's: a (train and init_from)" in said
    assert "b (" not in said
    part = methods_section(evidence)
    assert part is not None
    flagged = [str(statement) for statement in part.statements]
    assert flagged == [
        "On digits, a: train and init_from not as in single-task training, so Δm is not of joint training alone."
    ]


def test_outcomes_are_counted_and_what_may_be_small_is_told_apart() -> None:
    found = dict(verdict(methods={"a": 9.0, "b": -9.0, "c": 0.0}, seeds=8))["mixed"]
    assert "(1 better, 1 worse, 1 undecided)" in found
    small = str(verdict(methods={"a": 3.0}, seeds=8, smallest_effect=2.5)[0])
    assert "better than single-task, perhaps by less than 2.5 %: a +" in small


def test_practically_equal_is_said_with_its_bound_and_what_intervals_speak_of() -> None:
    found = verdict(methods={"a": 0.0}, seeds=8, smallest_effect=20.0)
    assert found[0][0] == "plain"
    assert found[0][1].startswith("Joint training is practically equal to single-task training on digits over 8 seeds")
    assert "practically equal to single-task (within ±20 %): a " in found[0][1]
    said = " ".join(text for _, text in found)
    assert "The smallest effect of interest is ±20 %" in said
    assert "They speak of this data set and of what seeds draw" in said


def test_of_what_is_held_there_is_no_verdict_yet() -> None:
    evidence = gather(*sample(methods={"a": 9.0}, **QUICK).frames())
    held = tuple(replace(delta, held=("its training was cut short",)) for delta in evidence.deltas)
    statement = section(replace(evidence, deltas=held)).statements[0]
    assert statement.text.startswith("No verdict yet on joint training on digits")
    assert "no verdict yet, a: its training was cut short" in statement.points
