"""What the smaller sections say."""

from __future__ import annotations

import pytest

from mtlbench.core.statuses import CONTENDED, ENDED_BADLY, FAILED, OUT_OF_MEMORY
from mtlbench.report import build
from mtlbench.report.assemble import section
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.evidence.frames import rows
from mtlbench.report.sections import SECTIONS
from mtlbench.report.writing.parts import Part
from tests.report.samples import ENVIRONMENT, TASKS, Sample, sample


def said(part: Part) -> str:
    return " ".join(str(statement) for statement in part.statements)


@pytest.fixture
def made() -> Sample:
    return sample(methods={"equal": 0.4, "dwa": 0.1, "random": -6.0}, epochs=2, seeds=4, tasks={"ink": TASKS["ink"]})


def written(name: str, made: Sample) -> Part | None:
    shown: Part | None = section(SECTIONS[name])(gather(*made.frames()))
    return shown


def part(name: str, made: Sample) -> Part:
    shown = written(name, made)
    assert shown is not None
    return shown


def test_failures_are_grouped_by_reason(made: Sample) -> None:
    for row in made.trials:
        if row["method"] == "dwa":
            row |= {"status": "failed", "error": "RuntimeError: out of memory", "traceback": "Traceback\n  line 3"}
        if row["method"] == "equal" and row["seed"] > 1:
            row |= {"status": "missing"}
    found = part("failures", made)
    assert said(found) == "10 of 16 planned trials finished; 4 failed; 2 did not run."
    reasons = found.tables[0].text
    assert reasons["method"].tolist() == ["dwa", "equal"]
    assert reasons["seeds"].tolist() == ["0, 1, 2 and 3", "2 and 3"]
    assert reasons["reason"].tolist() == ["RuntimeError: out of memory", "not run yet"]
    assert len(found.tables[0].raw) == 6
    assert list(found.preformatted.values()) == ["Traceback\n  line 3"]


def test_every_way_to_end_badly_is_counted_and_explained(made: Sample) -> None:
    ways = list(ENDED_BADLY)
    losers = [row for row in made.trials if row["method"] == "dwa"] + [row for row in made.trials if row["baseline"]]
    for row, status in zip(losers, ways, strict=False):
        row |= {"status": status, "error": f"because {status}", "peak_memory": (3 << 30) * (status == OUT_OF_MEMORY)}
    found = part("failures", made)
    counts = "1 failed, 1 diverged, 1 timed out, 1 ran out of memory, 1 lost"
    assert said(found) == f"11 of 16 planned trials finished; {counts}."
    table = found.tables[0]
    shown = table.text.set_index("status")
    assert set(shown.index) == set(ways)
    assert shown["peak memory"].to_dict() == {status: "3.0 GiB" if status == OUT_OF_MEMORY else "" for status in ways}
    assert all(ENDED_BADLY[status] in table.caption for status in ways if status != FAILED)
    assert "finished: 11 of 16 trials" in build(*made.frames()).markdown


def test_contended_trials_count_as_finished(made: Sample) -> None:
    made.trials[0] |= {"status": CONTENDED}
    assert said(part("failures", made)).startswith("All 16 planned trials finished; 1 of them beside other work")
    assert "finished: 16 of 16 trials" in build(*made.frames()).markdown
    assert len(gather(*made.frames()).data.records) == len(gather(*_untouched(made).frames()).data.records)


def _untouched(made: Sample) -> Sample:
    made.trials[0] |= {"status": "ok"}
    return made


def test_nothing_failed(made: Sample) -> None:
    assert said(part("failures", made)) == "All 16 planned trials finished."
    assert part("failures", made).tables == ()


def test_environments_that_differ_are_told(made: Sample) -> None:
    assert "different environments" not in said(part("environment", made))
    made.environments["e2"] = {**ENVIRONMENT, "cpu": "another", "gpus": ["H200"]}
    found = part("environment", made)
    assert "2 different environments, which differ in cpu and gpus" in said(found)
    fields = found.tables[-1].text.iloc[:, 0].tolist()
    assert "≠ cpu" in fields
    assert "revision" in fields
    assert "uncertainty" not in found.preformatted["The suite as it was resolved"]
    assert "suite: quickstart" in found.preformatted["The suite as it was resolved"]


def test_notes_are_said_once_with_their_count(made: Sample) -> None:
    assert written("notes", made) is None
    for row in made.trials:
        row["notes"] = ("ink: taken for a regression", *(["2 rows dropped"] if row["seed"] == 0 else []))
    assert said(part("notes", made)) == (
        "digits: ink: taken for a regression (16 trials) digits: 2 rows dropped (4 trials)"
    )


def test_weights_that_stay_are_named_and_not_drawn(made: Sample) -> None:
    for row in made.records:
        if row["metric"] == "weight" and row["method"] != "dwa":
            row["value"] = 0.5
    found = part("weights", made)
    assert said(found) == "On digits the weights stayed as they were: equal and random."
    assert "by epoch of dwa" in found.figures[0].alt


def test_shared_times_are_marked_in_the_tables() -> None:
    made = sample(methods={"equal": 0.4}, epochs=1, seeds=1, alone=False)
    assert "samples/s, shared\u00a0↑" in part("methods", made).tables[0].text
    assert "2 of 2 rows come from trials that shared" in said(part("throughput", made))
    assert part("throughput", made).tables[0].text["machine"].tolist() == ["shared", "shared"]


def test_what_has_no_delta_m_says_why(made: Sample) -> None:
    for row in made.trials:
        if row["method"] == "dwa":
            row["status"] = "failed"
    assert "On digits, dwa: no Δm, no finished trial." in said(part("methods", made))


def test_every_doubt_is_said_once_with_its_methods(made: Sample) -> None:
    made.suite = {"optimizer": "adam", "methods": {"equal": {}, "dwa": {"optimizer": "gd"}, "random": {"train": {}}}}
    made.suite["methods"]["equal"] = {"optimizer": "sgd"}
    for row in made.records:
        if row["method"] == "single-task" and row["split"] == "test" and row["metric"] == "rmse":
            row["value"] *= 1e-4
    sure = sample(methods={"equal": 0.4, "dwa": 0.1, "random": -6.0}, epochs=1, seeds=4, tasks={"ink": TASKS["ink"]})
    sure.suite = made.suite
    rest = "not as in single-task training, so Δm is not of joint training alone."
    assert said(part("methods", sure)) == f"On digits, equal and dwa: optimizer {rest} On digits, random: train {rest}"
    why = "the single-task value of ink (rmse) is near zero or uncertain, so that percentages of it mean nothing."
    assert said(part("methods", made)) == ""  # for the verdict says it
    for row in made.trials:
        row |= {"status": "failed"} if row["method"] == "dwa" else {}
    assert said(part("methods", made)).startswith(f"On digits, equal and random: no Δm, {why}")
    assert written("gains", made) is None
    assert written("pairwise", made) is None


def test_pairs_are_compared_on_the_seeds_they_share(made: Sample) -> None:
    for row in made.trials:
        if (row["method"], row["seed"]) in {("equal", 0), ("dwa", 1)}:
            row["status"] = "failed"
    raw = part("pairwise", made).tables[0].raw
    assert sorted(raw["seeds"].tolist()) == [2, 3, 3]
    assert not raw["can_be_significant"].any()


def test_pairs_are_antisymmetric_and_transitive() -> None:
    made = sample(methods={"a": 1.0, "b": -1.0, "c": 3.0}, epochs=1)
    raw = part("pairwise", made).tables[0].raw
    gap = {(row.method_a, row.method_b): row.difference for row in rows(raw)}
    assert list(gap) == [("c", "a"), ("c", "b"), ("a", "b")]  # better first
    assert gap["c", "b"] == pytest.approx(gap["c", "a"] + gap["a", "b"])
    deltas = {delta.method: delta.mean for delta in gather(*made.frames()).deltas}
    assert gap["a", "b"] == pytest.approx(deltas["a"] - deltas["b"])


@pytest.mark.parametrize(("seeds", "words"), [(1, "over 1 seed ("), (4, "over 4 seeds (")])
def test_captions_count_seeds(seeds: int, words: str) -> None:
    assert words in part("tasks", sample(methods={"equal": 0.4}, epochs=1, seeds=seeds)).tables[0].caption


@pytest.mark.parametrize(("methods", "numbered"), [(13, True), (17, False)])
def test_a_matrix_without_numbers_says_where_they_are(methods: int, numbered: bool) -> None:
    made = sample(methods=methods, epochs=1, seeds=3, tasks={"ink": TASKS["ink"], "slant": TASKS["ink"]})
    (figure,) = part("pairwise", made).figures
    assert (">+" in figure.svg) == numbered
    assert figure.title.endswith("numbers are in the table") != numbered


def test_a_profile_is_named_in_the_head() -> None:
    made = sample(methods={"equal": 0.4}, problems=("one", "two"), epochs=1, seeds=3, tasks={"ink": TASKS["ink"]})
    assert "profile" not in build(*made.frames()).markdown
    made.suite["profile"] = "quick"
    head = (
        "one trunk for all beat one each? These are results of the profile “quick”, which overrides parts of the suite"
    )
    assert f"{head}; 3 seeds ran." in build(*made.frames()).markdown
    for row in made.trials:
        row |= {"status": "missing"} if row["problem"] == "two" and row["seed"] else {}
    assert f"{head}; 1 to 3 seeds a problem ran." in build(*made.frames()).markdown
