"""The other commands, and every way to hold them wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlbench.architectures.trunks import TRUNKS
from mtlbench.plan.reading import tables

from .conftest import Cli

REPOSITORY = Path(__file__).parents[2]
ROOMS = {TRUNKS.room: TRUNKS, **{table.room: table for table in tables().values()}}


def test_faults_of_a_suite_come_all_at_once_without_a_traceback(cli: Cli, suite: Path) -> None:
    text = suite.read_text().replace("weighting: equal", "weighting: eqal").replace("[eager]", "[eagr]")
    suite.write_text(text.replace("epochs: 2", "epochs: 0"))
    for verb in ("run", "plan"):
        ended = cli(verb, suite)
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr + ended.stdout
        lines = ended.stderr.strip().splitlines()
        assert f"{suite}:5:" in lines[0]
        assert "did you mean 'equal'?" in lines[0]
        assert len(lines) == 3
    assert not (suite.parent / "results").exists()


def test_an_engine_without_a_kernel_for_the_optimizer_is_refused(cli: Cli, suite: Path) -> None:
    suite.write_text(suite.read_text().replace("[eager]", "[fused]").replace("adam, lr: 1.0e-3", "sgd"))
    ended = cli("plan", suite)
    assert ended.returncode == 2
    said = "optimizer 'sgd' has no update by mtlbench's kernels, as engine 'fused' updates: use engine eager, foreach"
    assert said in ended.stderr


def test_dry_run_is_plan_and_starts_nothing(cli: Cli, suite: Path) -> None:
    dry = cli("run", suite, "--dry-run")
    assert dry.returncode == 0
    assert dry.stdout == cli("plan", suite).stdout
    assert "0.5" in dry.stdout  # two seeds: the smallest sign-flip p is 2/2²
    assert not (suite.parent / "results").exists()


def test_only_chooses_trials_by_title(cli: Cli, suite: Path) -> None:
    plan = json.loads(cli("plan", suite, "--json", "--only", "equal").stdout)
    assert len(plan["trials"]) == 2
    nothing = cli("plan", suite, "--only", "no such trial")
    assert nothing.returncode == 2
    assert "no such trial" in nothing.stderr


def test_init_writes_a_suite_that_plans(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", "mine.yaml").returncode == 0
    assert cli("plan", "mine.yaml").returncode == 0
    again = cli("init", "mine.yaml")
    assert again.returncode == 2
    assert "mine.yaml" in again.stderr


def test_schema_validates_the_suites_we_ship(cli: Cli) -> None:
    import jsonschema  # a dependency of ray
    import yaml

    schema = json.loads(cli("schema").stdout)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    validator = kind(schema)
    suites = sorted((REPOSITORY / "bench" / "suites").glob("*.yaml"))
    assert suites
    for path in suites:
        validator.validate(yaml.safe_load(path.read_text()))
        assert path.read_text().startswith("# yaml-language-server: $schema=")
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"suite": "x", "problem": "digits", "unknown": 1})


def test_list_shows_every_room(cli: Cli) -> None:
    ended = cli("list")
    assert ended.returncode == 0
    for room, table in ROOMS.items():
        assert room in ended.stdout
        assert all(name in ended.stdout for name in table)
    assert "uncertainty" in ended.stdout
    assert "cannot be loaded" not in ended.stdout
    one = cli("list", "weightings")
    assert "uncertainty" in one.stdout
    assert "multidigits" not in one.stdout
    wrong = cli("list", "weighting")
    assert wrong.returncode == 2
    assert "did you mean 'weightings'?" in wrong.stderr


def test_doctor_names_versions(cli: Cli) -> None:
    ended = cli("doctor")
    assert "torch" in ended.stdout
    assert "ray" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_report_of_a_folder_without_results(cli: Cli, tmp_path: Path) -> None:
    ended = cli("report", tmp_path)
    assert ended.returncode == 2
    assert "expected a results folder" in ended.stderr


WRONG = [["run"], ["run", "x.yaml", "--executor", "dask"], ["sing"], ["run", "x.yaml", "--seeds", "0"]]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_on_the_command_line(cli: Cli, words: list[str]) -> None:
    ended = cli(*words)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_a_title_chooses_itself_brackets_and_all(cli: Cli, suite: Path) -> None:
    title = json.loads(cli("plan", suite, "--json").stdout)["trials"][0]["title"]
    assert "[digit]" in title
    pattern = title.replace("seed0", "*")
    chosen = json.loads(cli("plan", suite, "--json", "--only", pattern).stdout)["trials"]
    assert len(chosen) == 2


@pytest.mark.parametrize("out", ["small.yaml", "small.yaml/below"])
def test_a_results_folder_that_cannot_be(cli: Cli, suite: Path, out: str) -> None:
    ended = cli("run", suite, "--executor", "serial", "--out", out)
    assert ended.returncode == 2
    assert "small.yaml" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_changed_code_of_a_users_own_weighting_runs_again(cli: Cli, suite: Path) -> None:
    own = "from mtlbench.weightings.losses import Equal\n\n\nclass Mine(Equal):\n    '''Equal, by another name.'''\n"
    (suite.parent / "mine.py").write_text(own)
    suite.write_text(
        suite.read_text().replace("weighting: equal", "weighting: 'mine:Mine'").replace("seeds: 2", "seeds: 1")
    )
    assert cli("run", suite, "--executor", "serial").returncode == 0
    (suite.parent / "mine.py").write_text(own + "    # changed\n")
    plan = json.loads(cli("plan", suite, "--json").stdout)
    stale = [trial for trial in plan["trials"] if trial["state"] == "stale"]
    assert [trial["method"] for trial in stale] == ["equal"]
    assert stale[0]["reason"] == "made by other code: mine.py"
