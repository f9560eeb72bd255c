"""From frames to Delta m, costs and agreement."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from mtlbench.report.evidence.deltas import Delta
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.evidence.timings import Timing
from tests.report.samples import Row, Sample, sample


def made(**options: Any) -> Sample:
    return sample(**{"methods": {"equal": 0.4, "random": -6.0}, "epochs": 1, **options})


def delta(evidence: Evidence, method: str, engine: str = "eager") -> Delta:
    return next(d for d in evidence.deltas if (d.method, d.engine) == (method, engine))


def timing(run: Sample, method: str, engine: str = "eager") -> Timing:
    measured = gather(*run.frames()).timing("digits", method, engine)
    assert measured is not None
    return measured


def values(found: Sample, metric: str, **where: Any) -> list[Row]:
    """The records of a sample that match, to be changed in place."""
    chosen = {"metric": metric, **where}
    return [row for row in found.records if all(row[key] == value for key, value in chosen.items())]


def test_tasks_and_methods_keep_the_order_of_the_plan() -> None:
    data = gather(*made().frames()).data
    assert [task.name for task in data.tasks("digits")] == ["digit", "parity", "ink"]
    assert [task.higher for task in data.tasks("digits")] == [True, True, False]
    assert data.methods("digits") == ("single-task", "equal", "random")
    assert data.baseline("digits") == "single-task"


def test_delta_m_of_a_sample() -> None:
    evidence = gather(*made().frames())
    assert delta(evidence, "random").mean == pytest.approx(-6, abs=1.0)
    assert delta(evidence, "random").outcome == "worse"
    assert delta(evidence, "single-task").mean == 0
    assert delta(evidence, "single-task").rank < delta(evidence, "random").rank == 3


def test_methods_run_on_another_engine_are_compared_with_the_baseline_there_is() -> None:
    evidence = gather(*made(engines=("eager", "fused")).frames())
    assert delta(evidence, "equal", "fused").mean == delta(evidence, "equal").mean
    assert delta(evidence, "random", "fused").rank == 3


def test_ranks_of_different_engines_are_among_the_same_methods() -> None:
    found = made(methods={"equal": 0.4, "random": -6.0, "good": 9.0}, engines=("eager", "fused"))
    found.trials = [row for row in found.trials if (row["method"], row["engine"]) != ("good", "fused")]
    evidence = gather(*found.frames())
    assert delta(evidence, "good").rank == 1
    assert delta(evidence, "random").rank == 4
    for method in ("equal", "random"):  # the same predictions on both engines
        assert delta(evidence, method, "fused").rank == delta(evidence, method).rank


def test_ranks_are_of_the_seeds_that_all_methods_have() -> None:
    found = made(methods={"good": 3.0, "lucky": -3.0})
    for row in found.records:
        if row["seed"] == 0 and row["main"] and row["split"] == "test":
            row["value"] *= 0.5 if row["higher_is_better"] else 2.0  # a hard split
    for row in found.trials:
        if row["method"] == "lucky" and row["seed"] == 0:
            row["status"] = "failed"  # of which it is spared
    evidence = gather(*found.frames())
    assert [delta(evidence, method).rank for method in ("good", "single-task", "lucky")] == [1, 2, 3]


def test_an_engine_that_failed_does_not_take_its_method_from_the_ranking() -> None:
    found = made(engines=("eager", "fused"))
    for row in found.trials:
        row |= {"status": "failed"} if (row["method"], row["engine"]) == ("equal", "eager") else {}
    evidence = gather(*found.frames())
    assert math.isnan(delta(evidence, "equal").rank)
    assert delta(evidence, "random").rank == 3
    assert delta(evidence, "single-task").rank + delta(evidence, "equal", "fused").rank == pytest.approx(3)


def test_only_seeds_of_both_are_paired() -> None:
    found = made()
    for row in found.trials:
        if row["method"] == "equal" and row["seed"] == 1:
            row |= {"status": "failed"}
        if row["tasks"] == ("ink",) and row["seed"] == 3:
            row |= {"status": "missing"}
    equal = delta(gather(*found.frames()), "equal")
    assert equal.seeds == (0, 2, 4)
    assert equal.left_out == 2
    assert "2 of 5 seeds left out" in equal.flags[0]


def test_a_diverged_seed_is_left_out_and_said() -> None:
    found = made()
    for row in values(found, "rmse", method="equal", seed=2, split="test"):
        row["value"] = math.inf
    assert delta(gather(*found.frames()), "equal").left_out == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: {"status": "failed"} if row["method"] == "equal" else {}, "no finished trial"),
        (lambda row: {"status": "failed"} if row["baseline"] else {}, "no single-task baseline with a finite score"),
        (lambda row: {"status": "failed"} if row["baseline"] == (row["seed"] < 3) else {}, "no seed in common"),
        (lambda row: {"baseline": False}, "no single-task baseline in the suite"),
    ],
)
def test_why_there_is_no_delta_m(change: Callable[[Row], Row], reason: str) -> None:
    found = made()
    for row in found.trials:
        row |= change(row)
    assert delta(gather(*found.frames()), "equal").reason.startswith(reason)


def test_a_baseline_of_zero_is_named() -> None:
    found = made()
    for row in values(found, "rmse", baseline=True, split="test"):
        row["value"] = 0.0
    assert "ink is exactly zero" in delta(gather(*found.frames()), "equal").reason


def scaled(found: Sample, factor: Callable[[int], float], **where: Any) -> Evidence:
    for row in values(found, "rmse", split="test", **where):
        row["value"] *= factor(row["seed"])
    return gather(*found.frames())


@pytest.mark.parametrize("factor", [lambda seed: 1e-4, lambda seed: (0.1, 2, 0.5, 3, -2)[seed]])
def test_of_a_baseline_near_zero_or_uncertain_there_is_no_delta_m(factor: Callable[[int], float]) -> None:
    evidence = scaled(made(), factor, baseline=True)
    for method in ("equal", "random"):
        assert delta(evidence, method).reason.startswith(
            "the single-task value of ink (rmse) is near zero or uncertain"
        )
        assert delta(evidence, method).relative is None
        assert delta(evidence, method).rank > 0


def test_a_method_gone_astray_keeps_its_delta_m() -> None:
    evidence = scaled(made(methods={"equal": 0.4, "good": 2.0, "random": -6.0}), lambda seed: 100, method="random")
    assert delta(evidence, "random").mean < -1000
    assert delta(evidence, "random").outcome == "worse"


def test_units_change_nothing() -> None:
    found, scaled = made(), made()
    for row in values(scaled, "rmse"):
        row["value"] *= 1000
    for one, other in zip(gather(*found.frames()).deltas, gather(*scaled.frames()).deltas, strict=True):
        assert one.mean == pytest.approx(other.mean)
        assert one.p_holm == pytest.approx(other.p_holm, nan_ok=True)
        assert one.rank == other.rank
        assert one.outcome == other.outcome


@pytest.mark.parametrize(("seeds", "outcome"), [(1, "few"), (2, "few"), (5, "worse"), (8, "worse")])
def test_significance_needs_seeds(seeds: int, outcome: str) -> None:
    random = delta(gather(*made(seeds=seeds).frames()), "random")
    assert random.outcome == outcome
    assert random.testable == (seeds >= 7)  # two methods: 2 * 2 / 2^n <= 0.05
    assert random.significant == (seeds >= 7)


def test_the_last_attempt_and_other_kinds_do_not_disturb() -> None:
    found = made()
    found.trials.append({**found.trials[-1], "trial": "k", "kind": "kernel", "method": "adam"})
    found.records.append({**found.records[-1], "trial": "unknown", "method": "old"})
    data = gather(*found.frames()).data
    assert data.methods("digits") == ("single-task", "equal", "random")


def test_single_task_costs_are_those_of_all_its_tasks() -> None:
    found = made(seeds=1)
    by_task = {"digit": 100.0, "parity": 200.0, "ink": 200.0}
    for task, rate in by_task.items():
        where = {"trial": f"digits/single-task/{task}/eager/0"}
        values(found, "samples_per_second", **where)[0]["value"] = rate
        values(found, "parameters", **where)[0]["value"] = rate
        values(found, "peak_memory", **where)[0]["value"] = rate
        values(found, "train_seconds", **where)[0]["value"] = rate
    cost = timing(found, "single-task")
    assert cost.mean("samples_per_second") == pytest.approx(50)  # 1 / (1/100 + 1/200 + 1/200)
    assert cost.parameters == 500
    assert cost.mean("train_seconds") == 500
    assert cost.peak_memory == 200


def test_a_baseline_seed_without_all_tasks_is_not_timed() -> None:
    found = made(seeds=2)
    for row in found.trials:
        if row["tasks"] == ("ink",) and row["seed"] == 0:
            row |= {"status": "failed"}
    cost = timing(found, "single-task")
    assert list(cost.times.index) == [1]
    assert cost.shared  # only seed 0 ran alone


def test_times_come_from_trials_that_ran_alone() -> None:
    found = made()
    for row in values(found, "samples_per_second", method="equal"):
        row["value"] = 1000.0 if row["seed"] == 0 else 10.0
    cost = timing(found, "equal")
    assert cost.mean("samples_per_second") == 1000
    assert not cost.shared


def test_learners_without_steps_are_timed_alone_too() -> None:
    found = made()
    for row in values(found, "samples_per_second", method="equal"):
        row["metric"] = "unheard_of"
    for row in values(found, "train_seconds", method="equal"):
        row["value"] = 1.0 if row["seed"] == 0 else 9.0
    cost = timing(found, "equal")
    assert cost.mean("train_seconds") == 1
    assert not cost.shared


def test_shared_times_are_marked() -> None:
    cost = timing(made(alone=False), "equal")
    assert cost.shared
    assert len(cost.values("samples_per_second")) == 5


def test_ratio_to_eager_is_paired_by_seed() -> None:
    found = made(engines=("eager", "fused"), seeds=3)
    for row in found.trials:
        row["shared"] = False
    for row in values(found, "samples_per_second", method="equal"):
        row["value"] = (row["seed"] + 1) * (3.0 if row["engine"] == "fused" else 1.0)
    cost = timing(found, "equal", "fused")
    assert cost.ratio == pytest.approx(3.0)
    assert cost.ratio_interval is None  # three times exactly: no spread to judge by
    assert math.isnan(timing(found, "equal").ratio)


def test_ratios_over_two_environments_are_marked() -> None:
    found = made(engines=("eager", "fused"))
    for row in (*found.trials, *found.records):
        if row["engine"] == "fused":
            row["environment"] = "e2"
    assert timing(found, "equal", "fused").mixed


@pytest.mark.parametrize(("factor", "differs"), [(1.0, False), (1.004, False), (0.9, True)])
def test_engines_that_change_accuracy_are_told(factor: float, differs: bool) -> None:
    found = made(engines=("eager", "fused"))
    for row in values(found, "accuracy", engine="fused", method="equal", task="digit", split="test"):
        row["value"] *= factor
    agreement = next(a for a in gather(*found.frames()).agreements if a.method == "equal")
    assert agreement.differs == differs
    if factor != 1:
        assert agreement.task == "digit"
        assert agreement.relative == pytest.approx(factor - 1)


def test_an_engine_that_only_scatters_does_not_differ() -> None:
    found = made(engines=("eager", "fused"))
    for row in values(found, "accuracy", engine="fused", method="equal", task="digit", split="test"):
        row["value"] *= 1.05 if row["seed"] % 2 else 0.97
    agreement = next(a for a in gather(*found.frames()).agreements if a.method == "equal")
    assert not agreement.differs
