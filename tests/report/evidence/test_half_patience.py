"""Outcomes with half the patience: those of a run with half of it, and said where they differ from those with all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from mtlbench.core.record import HALF_PATIENCE
from mtlbench.core.settings import Train
from mtlbench.core.trial import FRONTIER
from mtlbench.report.evidence.earlier import at_half_patience
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.evidence.frames import ReportData
from mtlbench.report.sections.convergence import section
from mtlbench.report.sections.footing import section as footing
from mtlbench.report.sections.verdict import section as verdict
from mtlbench.runner.session import run
from mtlbench.store import Store
from tests.report.points import with_points
from tests.report.samples import TASKS, Row, Sample, sample, settings

TWO = {name: TASKS[name] for name in ("digit", "ink")}
FULL, HALF = 8, 3  # epochs


def made(
    gain: float,
    before: float,
    capped: int = 0,
    silent: Callable[[Row], bool] = lambda row: False,
    problems: Sequence[str] = ("digits",),
) -> Sample:
    """A run whose method gains so much, and with half the patience so much; the trials of so many seeds were ended by
    a cap before; of some trials nothing is known.
    """
    found, earlier = (
        sample({"equal": each, "other": 0.0}, problems, TWO, seeds=8, epochs=FULL) for each in (gain, before)
    )
    train = Train(until="plateau").model_dump(mode="json")
    for row in found.trials:
        row["settings"] = settings(row, train=train)
    told = [fact for fact in earlier.records if fact["split"] == "test" or fact["metric"] == "epochs"]
    for fact in told:
        end = FULL if fact["seed"] < capped else HALF
        fact["step" if fact["task"] else "value"] = end
    found.records += [fact | {"split": HALF_PATIENCE} for fact in told if not silent(fact)]
    return found


def gathered(run: Sample) -> Evidence:
    return gather(*run.frames())


def said(evidence: Evidence) -> str:
    part = section(evidence)
    assert part is not None
    return " ".join(map(str, part.statements))


def doubted(evidence: Evidence) -> bool:
    return any("with half the patience" in point for s in verdict(evidence).statements for point in s.points)


@pytest.mark.parametrize(
    ("gain", "before", "words", "doubt"),
    [
        (9.0, 9.0, "the verdict on digits is the same for each method", False),
        (9.0, -9.0, "would be another: equal worse (−", True),
        (9.0, 0.0, "would be another: equal undecided (", True),
        (0.0, -9.0, "would be another: equal worse (−", True),
    ],
)
def test_it_is_said_whether_the_verdict_would_be_another(gain: float, before: float, words: str, doubt: bool) -> None:
    evidence = gathered(made(gain, before))
    assert words in said(evidence)
    assert doubted(evidence) is doubt
    found = {each.full.method: each for each in evidence.half_patience("digits")}
    assert found["equal"].unsettled is doubt
    assert not found["other"].differs


def test_outcomes_are_those_of_the_run_that_it_would_have_been() -> None:
    halves = gathered(made(9.0, -9.0)).halves
    alone = {delta.method: delta for delta in gathered(made(-9.0, -9.0)).deltas}
    assert [(h.half.mean, h.half.wide, h.half.p_holm, h.half.outcome) for h in halves] == [
        (d.mean, d.wide, d.p_holm, d.outcome) for d in (alone["equal"], alone["other"])
    ]


def test_the_facts_change_nothing_else() -> None:
    with_facts, without = gathered(made(9.0, -9.0)), gathered(made(9.0, -9.0, silent=lambda row: True))
    pd.testing.assert_frame_equal(with_facts.data.records, without.data.records, check_categorical=False)
    assert [(d.mean, d.outcome) for d in with_facts.deltas] == [(d.mean, d.outcome) for d in without.deltas]


def test_what_the_two_cost_stands_in_the_table() -> None:
    part = section(gathered(made(9.0, 9.0)))
    assert part is not None
    (table,) = [table for table in part.tables if table.name == "half_patience"]
    assert (table.raw["half_epochs"] == HALF).all()
    assert (table.raw["full_epochs"] == FULL).all()
    assert f"{HALF}.0 (38 %)" in table.text["epochs"].tolist()


@pytest.mark.parametrize(
    ("silent", "known"),
    [
        (lambda row: True, []),
        (lambda row: bool(row["baseline"]), []),
        (lambda row: row["method"] == "equal" and row["seed"] == 0, ["other"]),
    ],
)
def test_nothing_is_said_of_methods_of_which_it_is_not_known(silent: Callable[[Row], bool], known: list[str]) -> None:
    evidence = gathered(made(9.0, -9.0, silent=silent))
    assert [each.full.method for each in evidence.halves] == known
    assert not doubted(evidence)


def test_trainings_that_a_cap_ended_before_tell_nothing() -> None:
    text = said(gathered(made(9.0, 9.0, capped=4)))
    assert "half the patience tells little: a cap ended up to 12 of 24 trainings" in text
    assert "is the same" not in text


def changed(evidence: Evidence) -> list[tuple[str, str, str]]:
    return [(str(claim.question), claim.half, claim.full) for claim in evidence.half_claims if claim.differs]


@pytest.mark.parametrize(("before", "half"), [(9.0, ""), (-9.0, "worse"), (0.0, "not distinguishable")])
def test_what_networks_of_equal_size_say_is_compared_too(before: float, half: str) -> None:
    run = made(9.0, before)
    for row in (*run.trials, *run.records):
        row["reference"] = row["apart"] = row["method"] == "other"
    evidence = gathered(run)
    asked = "equal against networks of equal size on digits"
    assert changed(evidence) == ([(asked, half, "better")] if half else [])
    part = footing(evidence)
    assert part is not None
    assert any("another answer with half the patience" in p for s in part.statements for p in s.points) is bool(half)


@pytest.mark.parametrize(("before", "half"), [(9.0, []), (-9.0, ["behind"])])
def test_what_the_frontier_says_is_compared_too(before: float, half: list[str]) -> None:
    run = made(9.0, before)
    points = {"uniform": (0.0, 0.0), "digit=1, ink=0": (0.5, -0.5), "digit=0, ink=1": (-0.5, 0.5)}
    evidence = gather(*with_points(run, points))
    found = [claim for claim in changed(evidence) if claim[0] == "equal against the scalarization frontier on digits"]
    assert [claim[1:] for claim in found] == [(each, "beyond") for each in half]
    assert any(
        "another answer with half the patience" in p for s in verdict(evidence).statements for p in s.points
    ) is (half != [])


def test_what_ranks_over_problems_say_is_compared_too() -> None:
    problems = [f"problem{number}" for number in range(7)]
    assert changed(gathered(made(9.0, 9.0, problems=problems))) == []
    assert changed(gathered(made(9.0, -9.0, problems=problems))) == [
        ("the best mean rank over problems", "other", "equal"),
        ("equal against single-task over problems", "worse", "better"),
    ]


def test_nothing_is_said_of_answers_that_rest_on_trainings_of_which_it_is_not_known() -> None:
    problems = [f"problem{number}" for number in range(7)]
    run = made(9.0, -9.0, silent=lambda row: row["problem"] == "problem3" and row["seed"] == 2, problems=problems)
    assert not gathered(run).half_claims


SUITE = """
suite: halves
problem: {{name: synthetic, tasks: 2, rows: 90, features: 4}}
architecture: {{name: shared, trunk: mlp, hidden: [4]}}
methods: {{equal: {{weighting: equal}}}}
capacity: matched
frontier: {{points: 3}}
references: []
optimizer: {{name: adam}}
tune: {{optimizer.lr: [0.01, 0.1]}}
train: {{until: plateau, patience: {patience}, patience_steps: {steps}, min_delta: 0.03, batch_size: 16, epochs: 40}}
seeds: 2
resources: {{exclusive: none}}
"""


def ran(folder: Path, patience: int, steps: int) -> Evidence:
    suite = folder / f"patience{patience}.yaml"
    suite.write_text(SUITE.format(patience=patience, steps=steps))
    done = run(suite, out=folder / f"results{patience}", executor="serial")
    assert not done.failed
    frames, resolved = Store(folder / f"results{patience}").read()
    return gather(frames.records, frames.trials, frames.environments, resolved)


def results_of_points(data: ReportData) -> pd.DataFrame:
    """The test results of the frontier's points."""
    facts = data.tried_records[(data.tried_records["role"] == FRONTIER) & (data.tried_records["split"] == "test")]
    order = ["point", "seed", "task", "metric"]
    return facts.sort_values(order)[[*order, "step", "value"]].reset_index(drop=True)


def test_a_real_run_knows_what_half_the_patience_would_have_chosen_and_given(tmp_path: Path) -> None:
    long, short = ran(tmp_path, 5, 19), ran(tmp_path, 3, 10)
    found = at_half_patience(long.data)
    assert found
    assert not found.unknown
    earlier = found.data
    (problem,) = long.data.problems
    for method in (*long.data.methods(problem), *long.data.references(problem)):
        pd.testing.assert_frame_equal(
            earlier.scores(problem, method, "eager"), short.data.scores(problem, method, "eager")
        )
    pd.testing.assert_frame_equal(results_of_points(earlier), results_of_points(short.data))
    assert set(long.data.standing["trial"]) != set(earlier.standing["trial"]), "expected another choice somewhere"
    judged = [delta for delta in short.deltas if not delta.baseline]
    assert [(h.half.mean, h.half.interval) for h in long.halves] == [(d.mean, d.interval) for d in judged]
    assert [h.trained[0].steps for h in long.halves] == [short.convergence(problem, "equal", "eager").steps]  # type: ignore[union-attr]
