from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.errors import MtlbenchError
from mtlbench.core.trial import TrainTrial
from mtlbench.plan.plan import make_plan
from mtlbench.screen.starter import write_starter


def test_a_folder_gets_a_suite_of_the_usual_name(tmp_path: Path) -> None:
    path = write_starter(tmp_path)
    assert path == tmp_path / "suite.yaml"
    assert "mtlbench run suite.yaml" in path.read_text()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    with pytest.raises(MtlbenchError, match=r"mine\.yaml: expected a new file"):
        write_starter(path)
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MtlbenchError, match="No such file or directory"):
        write_starter(tmp_path / "none" / "suite.yaml")


def test_its_comments_turn_it_into_ones_own(tmp_path: Path) -> None:
    """The line for one's own table works as it stands, uncommented."""
    path = write_starter(tmp_path / "mine.yaml")
    text = path.read_text().replace("\nproblem: digits\n", "\n").replace("# problem: ", "problem: ")
    path.write_text(text)
    rows = [f"{i},{i % 3},{i * 0.5 + i % 2},{'yes' if i % 2 else 'no'}" for i in range(60)]
    (tmp_path / "my.csv").write_text("x,z,a,b\n" + "\n".join(rows) + "\n")
    plan = make_plan(path)
    trials = [trial for trial in plan.trials if isinstance(trial, TrainTrial)]
    assert {task for trial in trials for task in trial.tasks} == {"a", "b"}
    assert make_plan(path, profile="quick").suite.seeds == (0, 1)
    tuned = make_plan(path, profile="tuned")
    assert not any("unequally" in note for note in tuned.notes)
    assert {trial.labels.role for trial in tuned.trials if not trial.labels.reference} == {"candidate"}
