"""The scalarization frontier in the report: signs, choices by validation, standings, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlbench.report import build
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.evidence.frontier import Frontier
from mtlbench.report.sections.frontier import section, statements

from ..points import with_points
from ..samples import TASKS, Frames, number, sample

pytestmark = pytest.mark.usefixtures("unrendered")

TWO = {name: TASKS[name] for name in ("digit", "ink")}  # the higher the better, and the lower
# A bent frontier in gains of digit and of ink, and one point that lies behind it.
BENT = {"low": (-4.0, 1.0), "middle": (0.0, 0.0), "high": (1.0, -4.0), "dominated": (-1.0, -1.0)}
METHODS = {"equal": (0.0, 0.0), "ahead": (1.5, 1.5), "behind": (-3.0, -3.0)}


def frames(
    points: Mapping[str, Sequence[float]] = BENT, methods: Mapping[str, Sequence[float]] = METHODS, seeds: int = 6
) -> Frames:
    """Methods whose gains over the single-task value are exact but for a little noise, on both splits."""
    made = sample(dict.fromkeys(methods, 0.0), tasks=TWO, seeds=seeds, epochs=2)
    rng = np.random.default_rng(1)
    for row in made.records:
        if row["main"] and row["step"] == 2:
            _, _, higher, value, _ = TWO[row["task"]]
            gain = methods[row["method"]][list(TWO).index(row["task"])] if row["method"] in methods else 0.0
            row["value"] = value * (1 + (gain + 0.1 * rng.normal()) / (100 if higher else -100))
    return with_points(made, points)


def frontier(found: Frames) -> Frontier:
    (only,) = gather(*found).frontiers
    return only


def table(found: Frames, name: str = "frontier") -> pd.DataFrame:
    raw = build(*found).tables[name].raw
    return raw.set_index("method" if name == "frontier" else ["weights", "task"])


def test_methods_are_judged_by_their_distance() -> None:
    raw = table(frames())
    assert raw["standing"].to_dict() == {"equal": "on", "ahead": "beyond", "behind": "behind"}
    for method, expected in (("equal", 0.0), ("ahead", 1.5), ("behind", -3.0)):
        assert number(raw, method, "distance") == pytest.approx(expected, abs=0.2)
        assert number(raw, method, "low") <= number(raw, method, "distance") <= number(raw, method, "high")
    assert number(raw, "ahead", "hypervolume_gain") > 1 > number(raw, "behind", "hypervolume_gain") == 0
    low, high = (number(raw, "ahead", f"hypervolume_{end}") for end in ("low", "high"))
    assert 0 < low < number(raw, "ahead", "hypervolume_gain") < high


def test_a_method_between_points_is_not_beyond_though_no_point_dominates_it() -> None:
    """On the line from middle to high, which mixtures of the two models attain."""
    raw = table(frames(methods={"equal": (0.0, 0.0), "between": (0.5, -2.0), "past": (0.9, -1.0)}))
    assert raw["standing"].to_dict() == {"equal": "on", "between": "on", "past": "beyond"}


def test_the_verdict_says_who_lies_beyond() -> None:
    report = build(*frames())
    (said,) = (text for text in report.verdict if "scalarization frontier" in text)
    assert said.startswith(
        "On digits, 1 of 3 methods lies beyond the scalarization frontier of 4 fixed weightings, none "
    )
    assert "beyond it: ahead +1." in said
    assert "behind it: behind −" in said


def test_points_show_their_gains_and_who_is_dominated() -> None:
    points = table(frames(), "frontier_points")
    for name, gains in BENT.items():
        for task, gain in zip(TWO, gains, strict=True):
            assert number(points, (name, task), "gain") == pytest.approx(gain, abs=0.3)
            assert points["non_dominated"][name, task] == (name != "dominated")


def test_points_are_chosen_by_the_validation_split_alone() -> None:
    records, trials, environments, suite = frames()

    def best(changed: pd.DataFrame) -> list[str]:
        return [point.name for point in frontier((changed, trials, environments, suite)).best]

    chosen = best(records)
    swapped = records.copy()
    test = (swapped["split"] == "test") & (swapped["point"] == "dominated")
    swapped.loc[test & (swapped["task"] == "digit"), "value"] *= 1.1
    swapped.loc[test & (swapped["task"] == "ink"), "value"] *= 0.9
    assert best(swapped) == chosen
    other = records.copy()
    validation = (other["split"] == "validation") & (other["point"] == "dominated") & (other["task"] == "digit")
    other.loc[validation, "value"] *= 1.1
    assert "dominated" in best(other)


def test_epochs_that_were_not_kept_have_no_say() -> None:
    records, trials, environments, suite = frames()
    earlier = records.copy()
    early = (earlier["split"] == "validation") & (earlier["step"] != 2)
    assert early.any()
    earlier.loc[early, "value"] *= 5
    assert frontier((earlier, trials, environments, suite)) == frontier((records, trials, environments, suite))


def test_a_method_that_is_a_point_is_on_the_frontier() -> None:
    records, trials, environments, suite = frames()
    equal = records[(records["method"] == "equal") & (records["step"] == 2) & records["main"]]
    keys = ["seed", "split", "task"]
    values = equal.set_index(keys)["value"]
    middle = records["point"] == "middle"
    records.loc[middle, "value"] = values.reindex(pd.MultiIndex.from_frame(records.loc[middle, keys])).to_numpy()
    judged = {j.place.name: j for j in frontier((records, trials, environments, suite)).positions}
    assert judged["equal"].member
    assert judged["equal"].standing == "on"
    assert judged["equal"].distance <= 1e-9
    assert not judged["ahead"].member


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_are_said(seeds: int) -> None:
    found = gather(*frames(seeds=seeds))
    (said,) = statements(found)
    assert said.text.startswith("Too few seeds to judge methods against the scalarization frontier of digits")
    part = section(found)
    assert part is not None
    assert set(part.tables[0].raw["standing"]) == {"few"}


def lacking_a_point(records: pd.DataFrame) -> pd.DataFrame:
    return records[~((records["point"] == "low") & (records["seed"] == 1))]


def lacking_validation(records: pd.DataFrame) -> pd.DataFrame:
    return records[records["split"] != "validation"]


def lacking_the_baseline(records: pd.DataFrame) -> pd.DataFrame:
    return records[~records["baseline"]]


def lacking_all_points_but_one(records: pd.DataFrame) -> pd.DataFrame:
    return records[~records["point"].isin(["low", "middle", "dominated"])]


def lacking_points(records: pd.DataFrame) -> pd.DataFrame:
    return records[records["role"] != "frontier"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lacking_validation, "no main metric on a validation split, by which points are chosen"),
        (lacking_the_baseline, "no single-task baseline with a finite score on every task"),
        (lacking_points, "no finished point with a finite score on every task"),
        (lacking_all_points_but_one, "fewer than two points with the same seeds"),
    ],
)
def test_what_is_missing_is_said(changed: Callable[[pd.DataFrame], pd.DataFrame], words: str) -> None:
    records, trials, environments, suite = frames()
    found = gather(changed(records), trials, environments, suite)
    (said,) = statements(found)
    assert words in said.text
    assert section(found) is None


def standings(found: Frames) -> dict[str, str]:
    return {position.place.name: position.standing for position in frontier(found).positions}


def candidates(found: Frames, **budgets: int) -> Frames:
    """With so many candidates of each method's trials, or of the points'."""
    records, trials, environments, suite = found
    more = [
        trials[trials["method"] == method].assign(role="candidate", choice=f"optimizer.lr={i}")
        for method, budget in budgets.items()
        for i in range(budget)
    ]
    return records, pd.concat([trials, *more], ignore_index=True), environments, suite


def capped(found: Frames, method: str) -> Frames:
    """With the trials of a method ended by their cap while their validation losses still fell."""
    records, trials, environments, suite = found
    of_method = (records["method"] == method) & (records["split"] == "validation") & (records["step"] == 2)
    last = records[of_method & records["main"]]
    losses = [
        last.assign(metric="loss", main=False, higher_is_better=False, step=i, value=1.0 / (1 + i)) for i in (0, 1, 2)
    ]
    losses += [last.assign(metric="epochs", split="", main=False, value=2.0)]
    kept = records[~((records["method"] == method) & (records["metric"] == "loss"))]
    settings = json.dumps({"train": {"epochs": 2, "batch_size": 8}})
    trials = trials.assign(
        settings=trials.get("settings", pd.Series("", trials.index)).where(trials["method"] != method, settings)
    )
    return pd.concat([kept, *losses], ignore_index=True), trials, environments, suite


@pytest.mark.parametrize(
    ("found", "held", "why"),
    [
        (frames(), set(), ""),
        (candidates(frames(), ahead=3, behind=3, equal=3), {"ahead"}, "it chose from 3 candidates, each point from 1"),
        (candidates(frames(), frontier=3), {"behind"}, "it chose from 1 candidate, each point from 3"),
        (candidates(frames(), frontier=3, ahead=3, behind=3), set(), ""),
        (capped(frames(), "frontier"), {"ahead"}, "24 of 24 trials of the points were undertrained"),
        (capped(frames(), "behind"), {"behind"}, "6 of 6 of its trials were undertrained"),
        (capped(frames(), "ahead"), set(), ""),
    ],
)
def test_what_else_may_explain_a_side_holds_that_side_back(found: Frames, held: set[str], why: str) -> None:
    expected = {"equal": "on", "ahead": "beyond", "behind": "behind"} | dict.fromkeys(held, "held")
    assert standings(found) == expected
    (said,) = statements(gather(*found))
    assert why in str(said)
    assert ("no verdict yet" in str(said)) == bool(held)


def test_a_point_that_lacks_a_seed_is_left_out_and_named() -> None:
    records, trials, environments, suite = frames()
    found = gather(lacking_a_point(records), trials, environments, suite)
    (only,) = found.frontiers
    assert (len(only.seeds), only.left_out) == (6, ("low",))
    assert {j.place.name: j.standing for j in only.positions}["ahead"] == "held"
    part = section(found)
    assert part is not None
    assert "left out: low" in str(part.statements[0])


def test_other_tables_do_not_see_the_points() -> None:
    made: dict[str, Any] = {"methods": {"equal": 0.4, "random": -2.0}, "tasks": TWO, "seeds": 3, "epochs": 2}
    plain = build(*sample(**made).frames())
    both = build(*with_points(sample(**made), BENT))
    for name in ("methods", "tasks", "throughput"):
        assert both.tables[name].raw.equals(plain.tables[name].raw)


def test_intervals_allow_for_overlapping_splits_where_the_suite_asks_for_it() -> None:
    records, trials, environments, suite = frames(seeds=5)
    last = records[(records["method"] == "ahead") & (records["split"] == "test") & records["main"]]
    counts = [
        last.assign(metric=f"{split}_rows", main=False, value=rows)
        for split, rows in (("test", 50.0), ("train", 200.0))
    ]
    records = pd.concat([records, *counts], ignore_index=True)
    plain, corrected = (
        {j.place.name: j for j in frontier((records, trials, environments, suite | {"interval": name})).positions}
        for name in ("plain", "corrected")
    )
    one, other = plain["ahead"], corrected["ahead"]
    assert one.interval is not None
    assert one.volume.interval is not None
    assert other.interval is not None
    assert other.volume.interval is not None
    assert other.interval.half > one.interval.half
    assert other.volume.interval.half / one.volume.interval.half == pytest.approx(((1 / 5 + 0.25) * 5) ** 0.5)
    assert other.testable


def test_what_is_not_corrected_is_said() -> None:
    records, trials, environments, suite = frames(seeds=3)
    part = section(gather(records, trials, environments, suite | {"interval": "corrected"}))
    assert part is not None
    assert any("not corrected as the suite asks" in str(said) for said in part.statements)
