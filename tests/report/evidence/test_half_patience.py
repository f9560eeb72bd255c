"""Outcomes with half the patience: those of a run with half of it, and said where they differ from those with all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mtlbench.core.record import HALF_PATIENCE
from mtlbench.core.settings import Train
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.evidence.half_patience import at_half_patience
from mtlbench.report.sections.convergence import section
from mtlbench.report.sections.verdict import section as verdict
from mtlbench.runner.session import run
from mtlbench.store import Store
from tests.report.samples import TASKS, Row, Sample, sample, settings

TWO = {name: TASKS[name] for name in ("digit", "ink")}
FULL, HALF = 8, 3  # epochs


def made(gain: float, before: float, capped: int = 0, silent: Callable[[Row], bool] = lambda row: False) -> Sample:
    """A run whose method gains so much, and with half the patience so much; the trials of so many seeds were ended by
    a cap before; of some trials nothing is known.
    """
    found, earlier = (sample({"equal": each, "other": 0.0}, tasks=TWO, seeds=8, epochs=FULL) for each in (gain, before))
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


SUITE = """
suite: halves
problem: {{name: synthetic, tasks: 2, rows: 90, features: 4}}
architecture: {{name: shared, trunk: mlp, hidden: [4]}}
methods: {{equal: {{weighting: equal}}}}
capacity: matched
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


def test_a_real_run_knows_what_half_the_patience_would_have_chosen_and_given(tmp_path: Path) -> None:
    long, short = ran(tmp_path, 5, 19), ran(tmp_path, 3, 10)
    earlier, unknown = at_half_patience(long.data)
    assert not unknown
    (problem,) = long.data.problems
    for method in (*long.data.methods(problem), *long.data.references(problem)):
        pd.testing.assert_frame_equal(
            earlier.scores(problem, method, "eager"), short.data.scores(problem, method, "eager")
        )
    assert set(long.data.standing["trial"]) != set(earlier.standing["trial"]), "expected another choice somewhere"
    judged = [delta for delta in short.deltas if not delta.baseline]
    assert [(h.half.mean, h.half.interval) for h in long.halves] == [(d.mean, d.interval) for d in judged]
    assert [h.trained[0].steps for h in long.halves] == [short.convergence(problem, "equal", "eager").steps]  # type: ignore[union-attr]
