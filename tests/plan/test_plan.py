from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mtlbench.core.errors import MtlbenchError
from mtlbench.core.record import Record, Result
from mtlbench.core.trial import TrainTrial
from mtlbench.plan.plan import Plan, make_plan
from mtlbench.runner.session import report_again
from mtlbench.store import Store

SUITE = """\
problem: digits
architecture: {name: shared, hidden: [16]}
methods:
  equal: {}
  learned: {weighting: uncertainty}
engines: [eager, foreach]
optimizer: {name: adam, lr: 1e-3}
seeds: 2
references: []
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(SUITE)
    return path


def _plan(suite: Path, **options: object) -> Plan:
    return make_plan(suite, out=suite.parent / "out", **options)  # type: ignore[arg-type]


def _store(plan: Plan, **result: object) -> None:
    """A stored result of every trial of a plan."""
    for trial in plan.trials:
        assert isinstance(trial, TrainTrial)
        facts = (Record("accuracy", 90.0, "test", trial.tasks[0], main=True),)
        plan.store.write(trial, replace(Result("ok", 1, facts, seconds=2.0, alone=True), **result))  # type: ignore[arg-type]


def test_a_first_plan(suite: Path) -> None:
    plan = _plan(suite)
    assert len(plan.trials) == 2 * (3 + 2 * 2)
    assert plan.todo == plan.trials
    assert plan.states == {"new": 14}
    assert [(row.method, row.engine, row.trials, row.baseline) for row in plan.rows] == [
        ("single-task", "eager", 6, True),
        ("equal", "eager", 2, False),
        ("equal", "foreach", 2, False),
        ("learned", "eager", 2, False),
        ("learned", "foreach", 2, False),
    ]
    assert {row.seconds for row in plan.rows} == {None}
    assert (plan.seconds, plan.without_record) == (0, 14)
    assert (plan.power.seeds, plan.power.comparisons) == (2, 2)  # methods on one engine share a baseline
    assert plan.root == suite.parent
    assert plan.attempts(plan.trials[0]) == 0


def test_results_go_to_a_folder_named_after_the_suite(suite: Path) -> None:
    assert make_plan(suite).store.folder == Path("results/s")
    assert _plan(suite).store.folder == suite.parent / "out"


def test_finished_trials_are_kept_and_tell_the_time(suite: Path) -> None:
    _store(_plan(suite))
    plan = _plan(suite)
    assert plan.states == {"finished": 14}
    assert plan.todo == ()
    longer = _plan(suite, seeds=3)
    assert longer.states == {"finished": 14, "new": 7}
    assert (longer.seconds, longer.without_record) == (14.0, 0)
    assert {(row.to_run, row.seconds) for row in longer.rows} == {(3, 2.0), (1, 2.0)}


def test_failed_trials_are_tried_again(suite: Path) -> None:
    _store(_plan(suite), status="failed", error="RuntimeError: no", attempt=3)
    plan = _plan(suite)
    assert plan.todo == plan.trials
    assert {(p.state, p.reason, p.attempts) for p in plan.planned} == {("failed before", "RuntimeError: no", 3)}
    assert plan.without_record == 14  # how long a failure took says nothing


def test_timed_trials_that_had_company_run_again(suite: Path) -> None:
    _store(_plan(suite), alone=False)
    plan = _plan(suite)
    assert plan.states == {"timed beside others": 7, "finished": 7}
    assert {trial.seed for trial in plan.todo} == {0}


def test_changed_trials_say_what_changed(suite: Path) -> None:
    _store(_plan(suite))
    suite.write_text(SUITE.replace("1e-3", "1e-2").replace("uncertainty}", "uncertainty, train: {epochs: 3}}"))
    plan = _plan(suite)
    reasons = {planned.trial.labels.method: (planned.state, planned.reason) for planned in plan.planned}
    assert reasons["equal"] == ("changed", "optimizer.lr 0.001 → 0.01")
    assert reasons["single-task"] == ("changed", "optimizer.lr 0.001 → 0.01")
    assert reasons["learned"] == ("changed", "optimizer.lr 0.001 → 0.01, train.epochs 10 → 3")
    suite.write_text(SUITE.replace("learned:", "renamed:"))
    assert _plan(suite).states == {"finished": 14}  # a label is not a coordinate


def test_only_a_part(suite: Path) -> None:
    assert {trial.labels.method for trial in _plan(suite, only="learned").trials} == {"learned"}
    assert len(_plan(suite, only="single-task[loops]").trials) == 2
    assert len(_plan(suite, only="*/eager/seed1").trials) == 5
    with pytest.raises(MtlbenchError) as caught:
        _plan(suite, only="lerned/eager/seed1")
    assert "expected part of a trial's title" in str(caught.value)
    assert "none of 14 trials; the nearest are digits/learned/eager/seed1," in str(caught.value)


def test_the_title_of_a_tuned_method_selects_its_candidates_before_and_after_they_ran(suite: Path) -> None:
    suite.write_text(SUITE.replace("equal: {}", "equal: {tune: {optimizer.lr: [1e-3, 1e-2]}}"))
    asked = {"only": "digits/equal/eager/seed0"}
    plan = _plan(suite, **asked)
    assert [trial.title for trial in plan.trials] == [
        f"digits/equal[optimizer.lr={lr}]/eager/seed0" for lr in (0.001, 0.01)
    ]
    for trial, loss in zip(plan.trials, (0.9, 0.1), strict=True):
        facts = [Record("loss", value, "validation", "digit", step=step) for step, value in enumerate((1.0, loss))]
        plan.store.write(trial, Result("ok", 1, (*facts, Record("loss", loss, "test", "digit", step=1)), alone=True))
    after = _plan(suite, **asked)
    assert [trial.title for trial in after.trials] == [*(trial.title for trial in plan.trials), asked["only"]]
    assert after.trials[-1].labels.choice == "optimizer.lr=0.01"
    assert after.todo == ()


def test_power_is_that_of_the_test_that_the_report_will_make(suite: Path) -> None:
    suite.write_text(f"{SUITE}interval: corrected\n".replace("seeds: 2", "seeds: 3"))
    assert "the corrected t test has no smallest p; with 2 methods" in str(_plan(suite).power)


def test_json_and_resolved_suite(suite: Path) -> None:
    plan = _plan(suite, profile=None)
    value = json.loads(json.dumps(plan.to_json()))
    assert [trial["title"] for trial in value["trials"]] == [trial.title for trial in plan.trials]
    assert {trial["state"] for trial in value["trials"]} == {"new"}
    assert value["power"] == {"seeds": 2, "comparisons": 2, "smallest_p": 0.5, "enough": False, "seeds_needed": 7}
    assert value["rows"][0]["trials"] == 6
    resolved = plan.resolved()
    assert resolved["train"]["batch_size"] == 128
    assert resolved["seeds"] == [0, 1]
    Store(suite.parent).write_index(plan.trials, resolved)
    assert [trial.id for trial in make_plan(suite.parent / "suite.yaml").trials] == [trial.id for trial in plan.trials]


def test_a_thousand_trials_wait_for_nothing_heavy(suite: Path) -> None:
    suite.write_text(SUITE.replace("seeds: 2\nreferences: []", "seeds: 143"))
    code = (
        "import sys; from pathlib import Path; from mtlbench.plan.plan import make_plan;"
        "print(len(make_plan(Path(sys.argv[1])).trials), *sorted(m for m in sys.modules if '.' not in m))"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(suite)], capture_output=True, text=True, check=True)
    count, *modules = ended.stdout.split()
    assert int(count) == 143 * (3 + 4 + 2)
    assert not {"torch", "ray", "pandas", "numpy", "sklearn", "scipy", "matplotlib"} & set(modules)


TUNED = SUITE.replace("engines: [eager, foreach]\n", "").replace(
    "learned: {weighting: uncertainty}", "tuned: {tune: {optimizer.lr: [3e-4, 1e-3]}}"
)


def test_a_trial_of_several_roles_runs_once_as_each_of_them_asks(suite: Path) -> None:
    suite.write_text(TUNED + "affinity: equal\n")
    plan = _plan(suite)
    ids = [trial.id for trial in plan.todo]
    assert len(ids) == len(set(ids)) < len(plan.trials)
    shared = {trial.id for trial in plan.trials if trial.labels.role} & {
        trial.id for trial in plan.trials if not trial.labels.role
    }
    assert shared  # a candidate at the suite's own rate is the method equal
    assert all(trial.labels.exclusive == (trial.seed == 0) for trial in plan.todo if trial.id in shared)
    assert not plan.again(plan.todo).todo


def _budgets(plan: Plan) -> list[str]:
    return [note for note in plan.notes if "unequally many candidates" in note]


def test_unequal_budgets_are_told(suite: Path) -> None:
    search = "tune: {budget: 4, search: {optimizer.lr: {log: [1e-4, 1e-1]}}}\n"
    suite.write_text(SUITE + search)
    assert _budgets(_plan(suite)) == []
    ridge = "learned: {learner: ridge}"  # has nothing that the others tune
    suite.write_text(SUITE.replace("learned: {weighting: uncertainty}", ridge) + search)
    assert _budgets(_plan(suite)) == []
    for own, count in (("{tune: {}}", 1), ("{tune: {budget: 8}}", 8), ("{tune: {optimizer.lr: [1e-3, 1e-2]}}", 2)):
        suite.write_text(SUITE.replace("equal: {}", f"equal: {own}") + search)
        (note,) = _budgets(_plan(suite))
        assert note.endswith(f": single-task from 4, equal from {count} and learned from 4")


def test_what_waits_for_its_candidates_is_planned_and_reported_as_missing(suite: Path) -> None:
    suite.write_text(TUNED + "single_task: {tune: {optimizer.lr: [3e-4, 1e-3]}}\n")
    plan = _plan(suite, only="/equal/")
    assert "8 choices wait for their candidates" in plan.notes[-1]
    _store(plan)
    plan = plan.again()
    plan.store.write_index(plan.every, plan.resolved())
    found = report_again(plan.store.folder)
    text = (plan.store.folder / "report.md").read_text()
    assert "2 of 10 planned trials finished; 8 did not run." in text
    assert "waits for its candidates" in text
    assert "no single-task baseline in the suite" not in text
    assert {"digits/tuned/eager/seed0", "digits/single-task[loops]/eager/seed1"} < set(found.missing)


def test_the_frontier_is_counted_and_noted(suite: Path) -> None:
    suite.write_text(SUITE + "frontier: {points: 10}\n")
    plan = _plan(suite)
    assert (
        "digits: the scalarization frontier trains 10 weightings of 3 tasks on each of 2 seeds, 20 trials" in plan.notes
    )
    (row,) = (row for row in plan.rows if row.method == "frontier")
    assert (row.engine, row.trials) == ("eager", 20)
    assert len(plan.trials) == 14 + 20
    assert len(plan.todo) == 14 + 20 - 2  # equal weights are trained once a seed


def test_candidates_of_the_frontier_are_counted_and_are_no_method(suite: Path) -> None:
    alone = SUITE + "tune: {optimizer.lr: [1.0e-3, 1.0e-2]}\n"
    suite.write_text(alone)
    power = _plan(suite).power
    suite.write_text(alone + "frontier: {points: 10}\n")
    plan = _plan(suite)
    assert any("10 weightings of 3 tasks with 2 candidates each on each of 2 seeds, 40 trials" in n for n in plan.notes)
    assert plan.power == power
    assert not any("unequally many" in note for note in plan.notes)
    suite.write_text(alone + "frontier: {points: 10, tune: {}}\n")
    assert any("unequally many candidates" in note and "frontier from 1" in note for note in _plan(suite).notes)
