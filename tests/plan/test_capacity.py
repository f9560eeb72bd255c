"""``capacity``: the baseline and the methods once more, at equal size."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.architectures import TABLE
from mtlbench.architectures.base import Architecture
from mtlbench.architectures.trunks import TRUNKS
from mtlbench.core.errors import SuiteError
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.core.trial import CANDIDATE, TrainTrial
from mtlbench.engine.model import Model
from mtlbench.plan.capacity import TOLERANCE, scaling
from mtlbench.plan.plan import Plan, make_plan

SUITE = """\
problem: {name: synthetic, rows: 60}
architecture: {name: shared, hidden: [40, 20]}
methods:
  equal: {}
  mmoe: {architecture: {name: mmoe, hidden: [4]}}
  ridge: {learner: ridge}
optimizer: {name: adam, lr: 1e-3}
seeds: 2
"""


def _plan(tmp_path: Path, extra: str) -> Plan:
    path = tmp_path / "s.yaml"
    path.write_text(SUITE + extra)
    return make_plan(path, out=tmp_path / "out")


def _of(plan: Plan, label: str) -> list[TrainTrial]:
    return [t for t in plan.expanded if isinstance(t, TrainTrial) and t.labels.method == label]


def _parameters(trials: list[TrainTrial], outline: Outline) -> int:
    architectures = [(TABLE.build(t.parts["architecture"]), outline.only(t.tasks)) for t in trials]
    return sum(p.numel() for kind, part in architectures for p in Model(kind, part, 0).parameters())


def _outline(plan: Plan) -> Outline:
    outline: Outline = plan.suite.problems[0].checked.outline(plan.root)
    return outline


def test_the_matched_baseline_has_as_many_parameters_as_the_joint_network(tmp_path: Path) -> None:
    plan = _plan(tmp_path, "capacity: matched\n")
    outline = _outline(plan)
    matched = [t for t in _of(plan, "single-task (matched)") if t.seed == 0]
    joint = [t for t in _of(plan, "equal") if t.seed == 0]
    assert [t.tasks for t in matched] == [(name,) for name in outline.names]
    assert all(t.labels.reference and t.labels.apart and not t.labels.baseline for t in matched)
    assert _parameters(matched, outline) == pytest.approx(_parameters(joint, outline), rel=TOLERANCE)
    assert len({t.title for t in plan.expanded}) == len(plan.expanded)
    assert not [note for note in plan.notes if "the nearest to" in note]


def test_widened_methods_have_as_many_parameters_as_the_baseline(tmp_path: Path) -> None:
    plan = _plan(tmp_path, "capacity: [widened]\n")
    outline = _outline(plan)
    single = _parameters([t for t in _of(plan, "single-task") if t.seed == 0], outline)
    for label in ("equal", "mmoe"):
        (wide,) = [t for t in _of(plan, f"{label} (widened)") if t.seed == 0]
        assert wide.tasks == outline.names
        assert _parameters([wide], outline) == pytest.approx(single, rel=TOLERANCE)
    assert not _of(plan, "ridge (widened)")  # without a network there is nothing to widen


def test_nothing_else_changes(tmp_path: Path) -> None:
    plain, more = _plan(tmp_path, ""), _plan(tmp_path, "capacity: [matched, widened]\n")
    ids = {t.id for t in plain.expanded}
    assert ids <= {t.id for t in more.expanded}
    for trial in _of(more, "equal (widened)"):
        like = next(t for t in _of(more, "equal") if t.seed == trial.seed)
        assert {k: v for k, v in trial.parts.items() if k != "architecture"} == {
            k: v for k, v in like.parts.items() if k != "architecture"
        }


def test_a_matched_baseline_is_tuned_like_the_baseline(tmp_path: Path) -> None:
    plan = _plan(tmp_path, "capacity: matched\ntune: {optimizer.lr: [0.01, 0.001]}\nprofiles: {}\n")
    assert {(t.labels.role, t.labels.choice) for t in _of(plan, "single-task (matched)")} == {
        (CANDIDATE, "optimizer.lr=0.01"),
        (CANDIDATE, "optimizer.lr=0.001"),
    }
    final = [t for t in plan.every if t.labels.method == "single-task (matched)" and not t.labels.role]
    assert final
    assert all(t.labels.reference for t in final)


def test_methods_are_counted_without_references(tmp_path: Path) -> None:
    assert _plan(tmp_path, "").power.comparisons == 2  # on one engine
    assert _plan(tmp_path, "capacity: matched\n").power.comparisons == 2
    assert _plan(tmp_path, "capacity: widened\n").power.comparisons == 4


@pytest.mark.parametrize("value", ["equal", "[matched, matched]", "3", "[matched, wide]"])
def test_what_capacity_expects(tmp_path: Path, value: str) -> None:
    with pytest.raises(SuiteError, match="capacity: expected matched, widened or a list of both"):
        _plan(tmp_path, f"capacity: {value}\n")


def test_a_resolved_suite_says_it(tmp_path: Path) -> None:
    assert _plan(tmp_path, "capacity: matched\n").resolved()["capacity"] == ["matched"]
    assert "capacity" not in _plan(tmp_path, "").resolved()


def test_widths_that_allow_no_match_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    text = SUITE.replace("hidden: [40, 20]", "hidden: []").replace(
        "  mmoe: {architecture: {name: mmoe, hidden: [4]}}\n", ""
    )
    path.write_text(text.replace("synthetic, rows: 60", "digits") + "capacity: matched\n")
    plan = make_plan(path, out=tmp_path / "out")
    assert not [note for note in plan.notes if "the nearest to" in note]  # heads alone: as many either way
    path.write_text(SUITE.replace("hidden: [40, 20]", "hidden: [1]") + "capacity: matched\n")
    assert [note for note in make_plan(path, out=tmp_path / "out").notes if "the nearest to" in note]


@pytest.mark.parametrize("name", list(TRUNKS))
def test_every_trunk_can_be_scaled(name: str) -> None:
    """Widths times 2 and back give the trunk again, and a wider one has more parameters where it has any."""
    trunk = TRUNKS.build({"name": name, **TRUNKS.load(name).example()})
    twice = trunk.scaled(2.0)
    assert twice.scaled(0.5) == trunk
    sizes = [key for key in trunk.widths if key in type(trunk).model_fields and getattr(trunk, key)]
    assert all(getattr(twice, key) != getattr(trunk, key) for key in sizes)
    assert type(twice).model_validate(twice.model_dump()) == twice  # a valid trunk
    assert trunk.scaled(1e-9).scaled(1.0) is not None


def test_the_factor_is_the_nearest() -> None:
    outline = Outline((TaskSpec("a", 1, "mse"), TaskSpec("b", 3, "mse")), (7,), 10)
    architecture = TABLE.build({"name": "shared", "hidden": [32]})
    assert isinstance(architecture, Architecture)
    for wanted in (50, 500, 5_000, 300_000):
        result = scaling(architecture, [outline], wanted)
        sizes = [7 * h + h + h + 1 + 3 * h + 3 for h in range(1, 60_000)]
        nearest = min(abs(size / wanted - 1) for size in sizes)
        assert abs(result.reached / wanted - 1) <= nearest + 1e-3


ONE = SUITE.replace("{name: synthetic, rows: 60}", "{name: digits, tasks: [digit]}")
LARGE = SUITE.replace("equal: {}", "equal: {architecture: {hidden: [400, 400]}}").replace("[4]", "[400]")
WITHOUT = """\
problem: diabetes
methods: {ridge: {learner: ridge}}
single_task: {learner: {name: ridge, scope: pooled}}
"""


@pytest.mark.parametrize(
    ("kind", "suite"),
    [
        pytest.param("matched", ONE, id="one task"),
        pytest.param("matched", SUITE + "single_task: {init_from: {file: trunk.pt}}\n", id="a trunk to start from"),
        pytest.param("widened", LARGE, id="networks that are large already"),
        pytest.param("matched", WITHOUT, id="no network"),
    ],
)
def test_what_cannot_be_copied_at_another_size_is_said(tmp_path: Path, kind: str, suite: str) -> None:
    (tmp_path / "trunk.pt").write_bytes(b"")
    path = tmp_path / "s.yaml"
    path.write_text(f"{suite}capacity: {kind}\nreferences: []\n")
    plan = make_plan(path, out=tmp_path / "out")
    assert [note for note in plan.notes if f"capacity {kind} adds nothing" in note]
    assert not [trial for trial in plan.expanded if kind in trial.labels.method]
