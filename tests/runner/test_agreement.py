"""Workers refuse what the plan was not made with: other code, other data, other versions of what is required."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mtlbench.cli import cli
from mtlbench.core.errors import SuiteError
from mtlbench.core.record import Result
from mtlbench.core.registry import look_beside
from mtlbench.core.sources import KERNELS
from mtlbench.measure.environment import versions
from mtlbench.plan.plan import Plan, make_plan
from mtlbench.runner import agreement
from mtlbench.runner.agreement import DisagreementError, Expected, check_code
from mtlbench.runner.checkpoints import Checkpoints
from mtlbench.runner.session import run
from mtlbench.runner.trial import execute

SUITE = """\
problem: {name: tabular, path: data.csv, targets: [a, b]}
architecture: {name: shared, hidden: [4]}
methods: {own: {weighting: 'agreed:Mine'}}
optimizer: adam
train: {epochs: 1}
seeds: 1
references: []
"""
CODE = "from mtlbench.weightings.losses import Equal\n\n\nclass Mine(Equal):\n    '''Equal, by another name.'''\n"


def table(factor: int = 1) -> str:
    rows = [f"{i % 7},{i % 5},{factor * (i % 7 + i % 5)},{i % 3}" for i in range(60)]
    return "\n".join(["x,y,a,b", *rows, ""])


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    look_beside(Path(__file__).parent)
    (tmp_path / "data.csv").write_text(table())
    (tmp_path / "agreed.py").write_text(CODE)
    path = tmp_path / "s.yaml"
    path.write_text(SUITE)
    return path


def one_of(plan: Plan, root: Path, **changes: object) -> Result:
    """The trial of the plan's method, as a worker runs it."""
    trial = next(trial for trial in plan.trials if trial.labels.method == "own")
    expected = Expected(plan.manifests[trial.sources], versions())
    return execute(trial, root, 1, None, alone=True, expected=replace(expected, **changes))  # type: ignore[arg-type]


def test_what_was_planned_runs(suite: Path) -> None:
    result = one_of(make_plan(suite, out=suite.parent / "out"), suite.parent)
    assert result.ok, result.traceback
    assert not [note for note in result.notes if "planned" in note]


def test_a_file_replaced_after_the_plan_fails_whatever_its_size_and_time_say(suite: Path) -> None:
    path = suite.parent / "data.csv"
    plan = make_plan(suite, out=suite.parent / "out")
    times = path.stat()
    text = path.read_text()
    path.unlink()
    path.write_text(text.replace("0,0,0,0", "0,0,9,0", 1))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    result = one_of(plan, suite.parent)
    assert result.error.startswith("expected the data that the trial was planned with, got other content on ")
    assert str(path) in result.error
    assert "run the suite again" in result.error


def test_a_file_replaced_while_it_is_read_fails(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtlbench.problems.tables.tabular import Tabular

    plan, load = make_plan(suite, out=suite.parent / "out"), Tabular.load

    def replaced(self: Tabular, seed: int, root: Path) -> object:
        (root / "data.csv").write_text(table(factor=2))
        return load(self, seed, root)

    monkeypatch.setattr(Tabular, "load", replaced)
    assert "expected the data that the trial was planned with" in one_of(plan, suite.parent).error


def test_code_edited_after_the_plan_fails(suite: Path) -> None:
    plan = make_plan(suite, out=suite.parent / "out")
    (suite.parent / "agreed.py").write_text(CODE + "# changed\n")
    error = one_of(plan, suite.parent).error
    assert error.startswith("expected the code that the trial was planned with, got other code on ")
    assert ": agreed.py; run the suite again" in error


def test_a_node_with_another_copy_of_mtlbench_fails(suite: Path) -> None:
    plan = make_plan(suite, out=suite.parent / "out")
    trial = next(trial for trial in plan.trials if trial.labels.method == "own")
    other = {**plan.manifests[trial.sources], "mtlbench/engine/step.py": "0" * 64}
    assert "mtlbench/engine/step.py" in one_of(plan, suite.parent, sources=other).error


@pytest.mark.parametrize("name", ["torch", "kernels", "mtlbench", "python"])
def test_another_version_is_noted_or_refused_where_it_is_required(suite: Path, name: str) -> None:
    plan = make_plan(suite, out=suite.parent / "out")
    other = {**versions(), name: "9.9"}
    noted = one_of(plan, suite.parent, versions=other)
    assert noted.ok
    (note,) = (note for note in noted.notes if "planned" in note)
    assert note.startswith(f"{name} {versions()[name]} on ")
    assert note.endswith(", 9.9 where it was planned")
    refused = one_of(plan, suite.parent, versions=other, require=(name,))
    assert refused.error == f"expected the same versions of what the suite requires, got {note}"


def test_a_suite_says_what_it_requires(suite: Path) -> None:
    suite.write_text(SUITE + "require: [torch, kernels]\n")
    plan = make_plan(suite, out=suite.parent / "out")
    assert plan.suite.require == ("torch", "kernels")
    assert plan.resolved()["require"] == ["torch", "kernels"]
    ids = [trial.id for trial in plan.trials]
    suite.write_text(SUITE)
    assert [trial.id for trial in make_plan(suite, out=suite.parent / "out").trials] == ids
    for wrong in ("[tourch]", "torch", "[[torch]]", "3"):
        suite.write_text(f"{SUITE}require: {wrong}\n")
        with pytest.raises(SuiteError, match=r"s\.yaml:8:10: .*expected a list of python, kernels, mtlbench, torch"):
            make_plan(suite)


def test_rebuilt_kernels_are_another_version_not_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "here", lambda name: "")
    check_code(Expected({KERNELS: "0" * 64}, versions()))
    with pytest.raises(DisagreementError, match=r"other code on .*: mine.py"):
        check_code(Expected({"mine.py": "0" * 64}, versions()))


def test_a_trunks_file_replaced_after_the_plan_fails(suite: Path) -> None:
    (suite.parent / "trunk.pt").write_bytes(b"one")
    suite.write_text(SUITE.replace("{weighting: 'agreed:Mine'}", "{init_from: {file: trunk.pt}}"))
    plan = make_plan(suite, out=suite.parent / "out")
    (trial,) = (trial for trial in plan.trials if trial.labels.method == "own")
    (suite.parent / "trunk.pt").write_bytes(b"two")
    result = execute(trial, suite.parent, 1, None, alone=True, checkpoints=Checkpoints())
    assert result.error == "init_from trunk.pt: expected the content that the trial was planned with, got another"


def test_a_run_sets_aside_what_it_does_not_believe_and_runs_that_alone(suite: Path) -> None:
    out = suite.parent / "out"
    assert run(suite, executor="serial", out=out).ok
    plan = make_plan(suite, out=out)
    assert plan.states == {"finished": 3}
    cut, renamed, whole = sorted((out / "trials").glob("*.json"))
    cut.write_text(cut.read_text()[:-20])
    renamed.rename(renamed.with_name("0" * 16 + ".json"))
    kept = whole.stat().st_mtime_ns
    again = make_plan(suite, out=out)
    assert sorted(again.states.items()) == [("finished", 1), ("new", 1), ("not believed", 1)]
    assert sum("is not believed, and set aside by a run" in note for note in again.notes) == 2
    assert run(suite, executor="serial", out=out).ok
    assert whole.stat().st_mtime_ns == kept
    aside = {path.name for path in (out / "trials").iterdir() if path.suffix != ".json"}
    assert aside == {f"{cut.stem}.checksum-differs", "0" * 16 + ".another-trial"}


def test_edited_code_runs_again_unless_its_results_are_accepted(suite: Path) -> None:
    out = suite.parent / "out"
    run(suite, executor="serial", out=out)
    (suite.parent / "agreed.py").write_text(CODE + "# changed\n")
    assert make_plan(suite, out=out).states == {"finished": 2, "stale": 1}
    accepted = run(suite, executor="serial", out=out, accept_stale=True)
    assert accepted.ok
    assert len(make_plan(suite, out=out).todo) == 1
    assert run(suite, executor="serial", out=out).ok
    assert make_plan(suite, out=out).states == {"finished": 3}


def test_a_run_exits_with_1_while_trials_are_missing_and_says_which(suite: Path) -> None:
    words = ["run", str(suite), "--executor", "serial", "--out", str(suite.parent / "out")]
    part = CliRunner().invoke(cli, [*words, "--only", "own"])
    assert part.exit_code == 1, part.output
    assert "2 trials of this suite have no result that counts" in part.output
    assert "tabular/single-task[a]/eager/seed0\n" in part.output
    assert "tabular/single-task[b]/eager/seed0\n" in part.output
    whole = CliRunner().invoke(cli, words)
    assert whole.exit_code == 0, whole.output
    assert "no result that counts" not in whole.output
