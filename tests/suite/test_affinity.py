"""``affinity``: a method's tasks in pairs, and all of them with a look at their gradients."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.config import Config
from mtlbench.core.errors import SuiteError
from mtlbench.core.registry import Registry
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.trial import AFFINITY, TrainTrial
from mtlbench.core.yaml_writer import to_yaml
from mtlbench.suite.expand import expand
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES

TEXT = """\
problem: digits
architecture: shared
methods: {equal: {}, other: {weighting: uncertainty, tune: {optimizer.lr: [1, 2]}}}
optimizer: adam
affinity: equal
seeds: 2
"""


class Probe(Config):
    """A learner that looks."""

    batches: int = 2


LEARNERS = Registry("learners", {"gradient": TABLES["learner"]["gradient"], "affinity": f"{__name__}:Probe"})
TASKS = tuple(TaskSpec(name, 1, "mse") for name in "abc")


def read(tmp_path: Path, text: str = TEXT) -> Suite:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return read_suite(path, tables={**TABLES, "learner": LEARNERS})


def trials(suite: Suite, tasks: int = 3) -> list[TrainTrial]:
    found = expand(suite, {"digits": Outline(TASKS[:tasks], (64,), 10)}, {"digits": ""})
    return [trial for trial in found if trial.labels.role == AFFINITY]


def test_every_pair_and_the_gradients_of_each_seed(tmp_path: Path) -> None:
    found = trials(read(tmp_path))
    assert len(found) == 2 * (3 + 1)
    assert [trial.tasks for trial in found[:4]] == [("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")]
    assert found[0].title == "digits/equal[a + b]/eager/seed0"
    assert found[3].title == "digits/equal[gradients]/eager/seed0"
    assert [trial.parts["learner"] for trial in found[2:4]] == [
        {"name": "gradient"},
        {"name": "affinity", "batches": 2},
    ]
    assert not trials(read(tmp_path), tasks=1)


def test_the_resolved_suite_asks_for_the_same(tmp_path: Path) -> None:
    suite = read(tmp_path)
    assert trials(read(tmp_path, to_yaml(suite.resolved()))) == trials(suite)


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        ("equl", "5:11: affinity: expected a method's label, got 'equl': did you mean 'equal'?"),
        ("[equal]", "5:11: affinity: expected a method's label, got ['equal']"),
        ("other", "5:11: affinity: expected a method without tune or cross-validation, got 'other'"),
    ],
)
def test_faults_have_their_places(tmp_path: Path, label: str, fault: str) -> None:
    with pytest.raises(SuiteError) as caught:
        read(tmp_path, TEXT.replace("affinity: equal", f"affinity: {label}"))
    assert fault in str(caught.value)
