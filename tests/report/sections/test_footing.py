"""What other than sharing differs between methods and their baseline is said by rule."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from mtlbench.core.settings import EarlyStopping, Train
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.evidence.footing import footings
from mtlbench.report.sections.footing import section

from ..samples import Sample, sample, settings


def _evidence(made: Sample, steps: dict[str, float] | None = None, trunks: dict[str, str] | None = None) -> Evidence:
    """A sample with steps an epoch, by method or by ``method/task``, and trunks by method."""
    records, trials, environments, suite = made.frames()
    if trunks:
        settings = [json.dumps({"architecture": {"trunk": trunks[method]}}) for method in trials["method"]]
        trials = trials.assign(settings=settings)
    facts = []
    for row in trials.to_dict("records"):
        key = f"{row['method']}/{row['tasks'][0]}" if len(row["tasks"]) == 1 else row["method"]
        if steps and key in steps:
            same = {name: row[name] for name in ("trial", "kind", "problem", "method", "baseline", "engine", "seed")}
            facts += [same | {"metric": "steps", "value": 4 * steps[key]}, same | {"metric": "epochs", "value": 4.0}]
    if facts:
        plain = {"main": False, "higher_is_better": pd.NA, "split": "", "task": "", "step": 0, "role": "", "unit": ""}
        more = pd.DataFrame([plain | fact for fact in facts]).reindex(columns=records.columns)
        records = pd.concat([records, more.astype({"higher_is_better": "boolean"})], ignore_index=True)
    return gather(records, trials, environments, suite)


def test_updates_of_tasks_of_unequal_size_are_flagged() -> None:
    made = sample({"equal": 0.0})
    steps = {"equal": 20.0, "single-task/digit": 20.0, "single-task/parity": 10.0, "single-task/ink": 19.0}
    evidence = _evidence(made, steps)
    (footing,) = footings(evidence.data, evidence.timings, evidence.convergences)
    assert footing.updates == pytest.approx({"digit": 1.0, "parity": 2.0, "ink": 20 / 19})
    assert footing.unlike_updates == {"parity": 2.0}
    part = section(evidence)
    assert part
    warnings = [str(s) for s in part.statements if s.tone == "warning"]
    assert len(warnings) == 1
    assert "parity (2 times)" in warnings[0]


def test_another_trunk_is_flagged() -> None:
    evidence = _evidence(
        sample({"equal": 0.0, "deep": 0.0}), trunks={"single-task": "cnn", "equal": "cnn", "deep": "resnet"}
    )
    assert [f.trunk for f in footings(evidence.data, evidence.timings, evidence.convergences)] == [
        None,
        ("resnet", "cnn"),
    ]
    part = section(evidence)
    assert part
    assert any("the trunk of deep is resnet" in str(s) and s.tone == "warning" for s in part.statements)


def test_sizes_are_compared_with_all_networks_of_the_baseline() -> None:
    evidence = _evidence(sample({"equal": 0.0}))
    (footing,) = footings(evidence.data, evidence.timings, evidence.convergences)
    sizes = {t.method: t.parameters for t in evidence.timings}
    assert footing.parameters == pytest.approx(sizes["equal"] / sizes["single-task"])
    assert footing.unlike_size
    part = section(evidence)
    assert part
    assert any("capacity: matched would tell" in str(s) for s in part.statements)


def test_a_matched_baseline_is_another_reference() -> None:
    """The gain over it is that of a baseline of its own."""
    made = sample({"equal": 3.0, "small": 0.0}, seeds=8)
    records, trials, environments, suite = made.frames()
    matched = trials["method"] == "small"
    trials = trials.assign(reference=matched, apart=matched)
    records = records.assign(reference=records["method"] == "small")
    evidence = gather(records, trials, environments, suite)
    assert evidence.data.matched("digits") == "small"
    (footing,) = footings(evidence.data, evidence.timings, evidence.convergences)
    assert footing.method == "equal"
    assert footing.interval
    assert footing.interval.low > 0
    assert 2 < footing.matched < 4
    part = section(evidence)
    assert part
    assert "better: equal" in " ".join(map(str, part.statements))


@pytest.mark.parametrize(("gain", "cut", "held"), [(9.0, "small", True), (-9.0, "small", False), (9.0, "equal", False),
                                                   (-9.0, "equal", True), (9.0, "", False)])  # fmt: skip
def test_a_gain_against_it_is_held_by_undertrained_trials(gain: float, cut: str, held: bool) -> None:
    """Of the matched baseline where the method is better, of the method where it is worse."""
    made = sample({"equal": gain, "small": 0.0}, seeds=8)
    train = Train(epochs=8, early_stopping=EarlyStopping(patience=2)).model_dump(mode="json")
    for row in made.trials:
        row |= {"settings": settings(row, train=train), "reference": row["method"] == "small"}
        row["apart"] = row["reference"]
    for fact in made.records:
        fact["reference"] = fact["method"] == "small"
        if (fact["split"], fact["metric"]) == ("validation", "loss"):
            fact["value"] = 0.5 ** (fact["step"] if fact["method"] == cut else min(fact["step"], 4))
    records, trials, environments, suite = made.frames()
    records = records.assign(reference=records["method"] == "small")
    part = section(gather(records, trials, environments, suite))
    assert part
    said = " ".join(map(str, part.statements))
    assert ("no verdict yet, equal: 8 of 8" in said) is held
    assert (("better: equal" if gain > 0 else "worse: equal") in said) is not held
