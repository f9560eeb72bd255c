"""Stale results: which edit makes which trials run again, and what the plan says of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mtlbench
from mtlbench.core import sources
from mtlbench.core.digests import file_digest
from mtlbench.core.record import Result
from mtlbench.core.registry import _plugged_in, look_beside
from mtlbench.plan.plan import Plan, make_plan

SUITE = """\
problem: {name: digits, tasks: [digit, parity]}
architecture: {name: shared, hidden: [4]}
methods:
  plain: {}
  own: {weighting: 'mine:Mine'}
  within: {weighting: {name: smoothed, of: 'mine:Mine'}}
optimizer: adam
seeds: 1
references: []
"""
MINE = """\
from mtlbench.weightings.gramian import UPGrad
from theirs import formula


class Mine(UPGrad):
    '''UPGrad, by another name.'''
"""


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "theirs.py").write_text("def formula():\n    import deeper\n")
    (tmp_path / "deeper.py").write_text("")
    (tmp_path / "unrelated.py").write_text("")
    path = tmp_path / "s.yaml"
    path.write_text(SUITE)
    yield path
    look_beside(Path(__file__).parent)  # and forget those modules


def plan_of(suite: Path, **options: bool) -> Plan:
    return make_plan(suite, out=suite.parent / "out", **options)  # type: ignore[arg-type]


def finished(suite: Path) -> None:
    """A result of every trial."""
    plan = plan_of(suite)
    plan.store.keep_sources(plan.manifests.values())
    for trial in plan.trials:
        plan.store.write(trial, Result("ok", alone=True, seconds=1.0), trunk=b"weights")
    assert plan_of(suite).states == {"finished": len(plan.trials)}


def stale(suite: Path) -> dict[str, str]:
    """The methods whose results are stale, and why."""
    return {p.trial.labels.method: p.reason for p in plan_of(suite).planned if p.state == "stale"}


@pytest.mark.parametrize("edited", ["mine.py", "theirs.py", "deeper.py"])
def test_an_edit_of_any_file_that_an_entry_imports_makes_its_trials_stale(suite: Path, edited: str) -> None:
    finished(suite)
    with (suite.parent / edited).open("a") as file:
        file.write("# changed\n")
    assert stale(suite) == dict.fromkeys(("own", "within"), f"made by other code: {edited}")
    assert {trial.labels.method for trial in plan_of(suite).todo} == {"own", "within"}


def test_an_edit_of_another_file_does_not(suite: Path) -> None:
    finished(suite)
    (suite.parent / "unrelated.py").write_text("x = 1\n")
    assert stale(suite) == {}


def test_several_files_are_named_and_one_that_came_is_told(suite: Path) -> None:
    finished(suite)
    (suite.parent / "deeper.py").write_text("import newer\n")
    (suite.parent / "newer.py").write_text("")
    assert stale(suite)["own"] == "made by other code: deeper.py and newer.py (new)"


def test_accepted_results_count_for_plan_and_report(suite: Path) -> None:
    finished(suite)
    (suite.parent / "theirs.py").write_text("def formula():\n    return 1\n")
    plan = plan_of(suite, accept_stale=True)
    assert plan.states == {"finished": len(plan.trials)}
    assert {plan.store.result(trial).status for trial in plan.every} == {"ok"}
    assert {plan.store.result(trial).status for trial in plan_of(suite).every} == {"ok", "missing"}


def test_what_runs_though_stale_results_count_runs_as_of_now(suite: Path) -> None:
    finished(suite)
    plan = plan_of(suite)
    own = next(trial for trial in plan.trials if trial.labels.method == "own")
    plan.store.write(own, Result("failed", error="no"))
    (suite.parent / "theirs.py").write_text("def formula():\n    return 1\n")
    (again,) = plan_of(suite, accept_stale=True).todo
    assert again.id == own.id
    assert again.sources == next(t.sources for t in plan_of(suite).trials if t.id == own.id) != own.sources


def test_code_that_comes_back_makes_its_results_current_again(suite: Path) -> None:
    finished(suite)
    text = (suite.parent / "theirs.py").read_text()
    (suite.parent / "theirs.py").write_text("# away\n" + text)
    assert stale(suite)
    (suite.parent / "theirs.py").write_text(text)
    assert stale(suite) == {}


def test_where_manifests_were_lost_the_plan_still_knows_that_code_changed(suite: Path) -> None:
    finished(suite)
    for path in (suite.parent / "out" / "sources").iterdir():
        path.unlink()
    (suite.parent / "mine.py").write_text(MINE + "# changed\n")
    assert stale(suite) == dict.fromkeys(("own", "within"), "made by other code")


# Files of mtlbench, and the methods that an edit of them makes stale.
EVERY = {"single-task", "plain", "own", "within"}
OURS = {
    "engine/step.py": EVERY,
    "problems/small/digits.py": EVERY,
    "weightings/losses.py": {"single-task", "plain"},
    "weightings/adaptive.py": {"within"},
    "weightings/gramian.py": {"own", "within"},
    "weightings/imtl.py": set(),
    "learners/ridge.py": set(),
    "report/assemble.py": set(),
    "screen/tables.py": set(),
    "cli.py": set(),
    "plan/history.py": set(),
    "store/frames.py": set(),
    "runner/ray_scheduler.py": set(),
}


@pytest.mark.parametrize("edited", OURS)
def test_our_own_code_makes_those_trials_stale_that_it_computes(
    suite: Path, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is not written to; its digest is another."""
    finished(suite)
    path = Path(mtlbench.__file__).parent / edited
    assert path.exists()

    def changed(file: Path) -> str:
        return "0" * 64 if file == path else file_digest(file)

    monkeypatch.setattr("mtlbench.core.sources.file_digest", changed)
    assert stale(suite) == dict.fromkeys(OURS[edited], f"made by other code: mtlbench/{edited}")


def test_a_plug_ins_formula_belongs_to_its_trials(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point, as an editable install registers it."""
    folder = suite.parent / "site"
    info = folder / "trust_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trust-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mtlbench.weightings]\npluggable = trust_plugin:Mine\n")
    (info / "RECORD").write_text("__editable__.trust_plugin.pth,,\n")
    plugin = folder / "trust_plugin.py"
    plugin.write_text(MINE.replace("theirs", "trust_helper"))
    (folder / "trust_helper.py").write_text("formula = 1\n")
    monkeypatch.syspath_prepend(folder)
    suite.write_text(SUITE.replace("'mine:Mine'", "pluggable"))
    from mtlbench.weightings import TABLE

    TABLE.__dict__.pop("_rows", None)
    _plugged_in.cache_clear()
    sources._distribution.cache_clear()
    try:
        finished(suite)
        (folder / "trust_helper.py").write_text("formula = 2\n")
        assert stale(suite) == dict.fromkeys(("own", "within"), "made by other code: trust_helper.py")
        # Installed with a version, it counts by that, whatever its files hold.
        (info / "RECORD").write_text("trust_plugin.py,,\ntrust_helper.py,,\n")
        sources._distribution.cache_clear()
        finished(suite)
        (folder / "trust_helper.py").write_text("formula = 3\n")
        assert stale(suite) == {}
        info.rename(folder / "trust_plugin-1.1.dist-info")
        (folder / "trust_plugin-1.1.dist-info" / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: trust-plugin\nVersion: 1.1\n"
        )
        sources._distribution.cache_clear()
        assert stale(suite) == dict.fromkeys(("own", "within"), "made by other code: trust-plugin 1.0 → 1.1")
    finally:
        TABLE.__dict__.pop("_rows", None)
        _plugged_in.cache_clear()
        sources._distribution.cache_clear()
        sys.modules.pop("trust_plugin", None)
        sys.modules.pop("trust_helper", None)


def test_rebuilt_kernels_make_stale_what_runs_on_them(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in SUITE.splitlines() if "mine:Mine" not in line]
    kernels = "kernels: {cases: [{name: gramian, tensors: 1 x 8}], processes: 1}"
    suite.write_text("\n".join([*lines, "engines: [eager, fused]", kernels, ""]))
    finished(suite)
    monkeypatch.setattr("mtlbench.plan.provenance.kernels_digest", lambda: "0" * 64)
    found = {(p.trial.labels.method, p.trial.way): p.reason for p in plan_of(suite).planned if p.state == "stale"}
    assert set(found) == {("plain", "fused"), ("kernel", "cpu")}
    assert set(found.values()) == {"made by other code: mtlbench/_C.so"}


def test_rebuilt_kernels_make_stale_whose_weights_they_solve_for_on_every_engine(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = "uncertainty: {weighting: uncertainty}\n  cagrad: {weighting: cagrad}\n  imtl: {weighting: imtl}"
    suite.write_text(SUITE.replace("  plain: {}\n", f"  plain: {{}}\n  {names}\n"))
    finished(suite)
    monkeypatch.setattr("mtlbench.plan.provenance.kernels_digest", lambda: "0" * 64)
    solved = ("own", "within", "cagrad", "imtl")
    assert stale(suite) == dict.fromkeys(solved, "made by other code: mtlbench/_C.so")


def test_what_starts_from_a_trunk_comes_from_its_code_too(suite: Path) -> None:
    suite.write_text(SUITE.replace("  plain: {}\n", "  plain: {init_from: own}\n"))
    finished(suite)
    (suite.parent / "deeper.py").write_text("# changed\n")
    assert set(stale(suite)) == {"plain", "own", "within"}


def test_a_long_lived_process_reads_the_code_of_now(suite: Path) -> None:
    (suite.parent / "theirs.py").write_text("formula = 1\n")
    plan_of(suite)
    assert sys.modules["theirs"].formula == 1
    (suite.parent / "theirs.py").write_text("formula = 22\n")
    plan_of(suite)
    assert sys.modules["theirs"].formula == 22
