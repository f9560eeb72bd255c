"""A part of a method stands in one table: a row there is enough for it to be read, expanded, identified, trained with,
stored and shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtlbench.core.config import Config
from mtlbench.core.errors import SuiteError
from mtlbench.core.parts import PARTS, Part
from mtlbench.core.registry import Registry
from mtlbench.core.trial import TrainTrial, trial_from_json
from mtlbench.learners.base import Job
from mtlbench.plan import reading
from mtlbench.plan.plan import make_plan
from mtlbench.runner import trial as worker
from mtlbench.runner.session import run
from mtlbench.screen.schema import json_schema

SUITE = """\
suite: parts
problem: {name: synthetic, rows: 60}
architecture: {name: shared, trunk: mlp, hidden: [4]}
methods:
  plain: {}
  noisy: {toy_addition: {name: noise, scale: 0.5}}
  tuned: {toy_addition: noise, tune: {toy_addition.scale: [1.0, 2.0]}}
toy_addition: none
optimizer: {name: adam, lr: 1.0e-2}
train: {epochs: 1}
seeds: 1
"""


class Nothing(Config):
    """Inputs as they are."""


class Noise(Config):
    """Gaussian noise on the inputs."""

    scale: float = 0.1


@pytest.fixture
def toy_addition(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The new part; what learners are given of it."""
    seen: list[Any] = []
    part = Part(
        "how training inputs are varied", room="toy_addition", default={"name": "none"}, coordinate="toy_addition"
    )
    table = Registry("toy_additions", {"none": f"{__name__}:Nothing", "noise": f"{__name__}:Noise"})
    rooms = {**reading.tables(), "toy_addition": table}
    monkeypatch.setitem(PARTS, "toy_addition", part)
    for module in ("mtlbench.plan.reading", "mtlbench.plan.plan", "mtlbench.runner.trial", "mtlbench.screen.schema"):
        monkeypatch.setattr(f"{module}.tables", lambda: rooms)

    def job(**fields: Any) -> Job:
        seen.append(fields["others"]["toy_addition"])
        return Job(**fields)

    monkeypatch.setattr(worker, "Job", job)
    return seen


def test_a_part_takes_one_row(tmp_path: Path, toy_addition: list[Any]) -> None:
    path = tmp_path / "parts.yaml"
    path.write_text(SUITE)
    plan = make_plan(path, out=tmp_path / "out")
    specs = {trial.title: trial.parts["toy_addition"] for trial in plan.every if isinstance(trial, TrainTrial)}
    assert specs["synthetic/plain/eager/seed0"] == {"name": "none"}
    assert specs["synthetic/noisy/eager/seed0"] == {"name": "noise", "scale": 0.5}
    assert specs["synthetic/tuned[toy_addition.scale=2.0]/eager/seed0"] == {"name": "noise", "scale": 2.0}
    assert specs["synthetic/single-task[t1]/eager/seed0"] == {"name": "none"}
    assert len({trial.id for trial in plan.trials}) == len(plan.trials)
    (plain,) = [trial for trial in plan.trials if trial.title == "synthetic/plain/eager/seed0"]
    earlier = {key: value for key, value in plain.to_json().items() if key != "toy_addition"}
    assert trial_from_json(earlier).id == plain.id  # trials from before the part keep their identity
    assert all(trial_from_json(trial.to_json()) == trial for trial in plan.trials)

    ran = run(path, out=tmp_path / "out", executor="serial")
    assert ran.ok
    assert Nothing() in toy_addition
    assert {Noise(scale=0.5), Noise(scale=1.0), Noise(scale=2.0)} <= {a for a in toy_addition if isinstance(a, Noise)}
    assert not make_plan(path, out=tmp_path / "out").todo  # its results are found again
    shown = ran.tables["settings"].set_index("method")["toy_addition"]
    assert shown["noisy"].startswith("noise (scale=0.5")
    assert "toy_addition" in (tmp_path / "out" / "suite.yaml").read_text()


def test_its_faults_are_told_at_their_place(tmp_path: Path, toy_addition: list[Any]) -> None:
    path = tmp_path / "parts.yaml"
    text = SUITE.replace("name: noise, scale: 0.5", "name: noises")
    path.write_text(text.replace("toy_addition: none", "toy_addition: {name: none, a: 1}"))
    unknown = r"6:32: unknown toy_addition 'noises', did you mean 'noise'\?"
    with pytest.raises(SuiteError, match=rf"(?s){unknown}.*unknown key 'a'"):
        make_plan(path)


def test_a_learner_may_have_no_use_for_it(tmp_path: Path, toy_addition: list[Any]) -> None:
    path = tmp_path / "parts.yaml"
    path.write_text(SUITE.replace("plain: {}", "plain: {learner: ridge, toy_addition: noise}"))
    with pytest.raises(SuiteError, match="learner 'ridge' uses no toy_addition"):
        make_plan(path)


def test_editors_know_it(toy_addition: list[Any]) -> None:
    schema = json_schema()
    assert schema["properties"]["toy_addition"]["description"] == "how training inputs are varied"
    assert "toy_addition.noise" in schema["$defs"]


@pytest.mark.parametrize("key", PARTS)
def test_every_row_is_complete(key: str) -> None:
    part = PARTS[key]
    assert part.description
    assert not (part.room and part.settings)
    assert part.coordinate == "" or part.single
