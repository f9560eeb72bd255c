"""``tune: {budget, search}``: quasi-random points in ranges, the same for every method."""

from __future__ import annotations

from collections import Counter
from math import log
from pathlib import Path
from typing import Any

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.settings import MAX_CANDIDATES
from mtlbench.core.trial import TrainTrial
from mtlbench.core.yaml_writer import to_yaml
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .test_tuning import faults, read, trials
from .toy_entries import TABLES

TEXT = """\
problem: digits
architecture: shared
methods:
  equal: {}
  own: {weighting: {name: fixed, weights: {a: 1.0}}, tune: {search: {weighting.normalize: {values: [true, false]}}}}
  plain: {tune: {}, optimizer: {lr: 2}}
optimizer: adam
tune: {budget: 8, search: {optimizer.lr: {log: [1.0e-4, 1.0e-1]}, train.batch_size: {log: [16, 256]}}}
profiles:
  more: {tune: {budget: 16}}
  other: {tune: {search: {optimizer.lr: {linear: [0.5, 1]}}}}
seeds: 2
"""


def of(suite: Suite, method: str) -> list[TrainTrial]:
    """What the first seed tries, for the baseline's first task."""
    found = [trial for trial in trials(suite) if trial.labels.method == method and trial.seed == 0]
    return [trial for trial in found if not trial.labels.baseline or trial.tasks == found[0].tasks]


def values(suite: Suite, method: str = "equal") -> list[tuple[float, int]]:
    return [(t.parts["optimizer"]["lr"], t.parts["train"]["batch_size"]) for t in of(suite, method)]


OWN = ("  own", "tune", "profiles", "  more", "  oth")
UNTUNED = "".join(line for line in TEXT.splitlines(keepends=True) if not line.startswith(OWN))


def changed(tmp_path: Path, search: str) -> Suite:
    """The suite with another search, and without methods of their own; its baseline has no dropout."""
    alone = "single_task: {tune: {search: {architecture.dropout: null}}}\n" if "dropout" in search else ""
    return read(tmp_path, f"{UNTUNED}tune: {search}\n{alone}")


def test_every_method_tries_the_budget_and_the_same_values(tmp_path: Path) -> None:
    suite = read(tmp_path, TEXT)
    counts = Counter((trial.labels.method, trial.labels.role) for trial in trials(suite))
    assert counts == {
        ("single-task", "candidate"): 2 * 2 * 8,
        ("equal", "candidate"): 2 * 8,
        ("own", "candidate"): 2 * 8,
        ("plain", ""): 2,
    }
    assert values(suite) == values(suite, "single-task") == values(suite, "own")
    assert len(set(values(suite))) == 8
    normalized = [trial.parts["weighting"]["normalize"] for trial in of(suite, "own")]
    assert abs(normalized.count(True) - normalized.count(False)) <= 2  # 8 points less the first, and one more
    assert of(suite, "own")[0].labels.choice == "optimizer.lr=0.00316, train.batch_size=64, weighting.normalize=false"


def test_a_larger_budget_adds_trials_and_changes_none(tmp_path: Path) -> None:
    few, many = read(tmp_path, TEXT), read(tmp_path, TEXT.replace("budget: 8", "budget: 16"))
    for method in ("single-task", "equal", "own"):
        fewer, more = ([trial.id for trial in of(suite, method)] for suite in (few, many))
        assert more[:8] == fewer
        assert len(set(more)) == 16
    assert {t.id for t in trials(few)} < {t.id for t in trials(many)}


def test_candidates_are_the_trials_that_they_would_be_without_tuning(tmp_path: Path) -> None:
    text = UNTUNED.replace("adam", "{name: adam, lr: 3.16e-3}") + "train: {batch_size: 64}\n"
    (alone,) = of(read(tmp_path, text), "equal")
    assert alone.id == of(read(tmp_path, TEXT), "equal")[0].id


def test_points_are_those_of_sobol(tmp_path: Path) -> None:
    """Against the first points of the sequence by Joe and Kuo's table, written here by hand."""
    expected = [(0.5, 0.5), (0.75, 0.25), (0.25, 0.75), (0.375, 0.375), (0.875, 0.875), (0.625, 0.125), (0.125, 0.625)]
    suite = changed(
        tmp_path, "{budget: 7, search: {optimizer.lr: {linear: [1, 3]}, architecture.dropout: {linear: [0, 0.8]}}}"
    )
    found = [(t.parts["optimizer"]["lr"], t.parts["architecture"]["dropout"]) for t in of(suite, "equal")]
    assert found == [(pytest.approx(1 + 2 * u), pytest.approx(0.8 * v)) for u, v in expected]


@pytest.mark.parametrize("budget", [3, 7, 15, 31, 63])
def test_a_logarithmic_range_is_covered_evenly(tmp_path: Path, budget: int) -> None:
    """2^m - 1 points lie on the inner lines of a grid of 2^m cells, up to rounding to three digits."""
    suite = changed(tmp_path, f"{{budget: {budget}, search: {{optimizer.lr: {{log: [1.0e-4, 1.0e-1]}}}}}}")
    found = sorted(log(t.parts["optimizer"]["lr"] / 1e-4, 1000) for t in of(suite, "equal"))
    assert found == pytest.approx([k / (budget + 1) for k in range(1, budget + 1)], abs=1e-3)


def test_values_are_short_and_lie_in_their_range(tmp_path: Path) -> None:
    ranges = "optimizer.lr: {log: [1.2345e-4, 0.98765]}, architecture.dropout: {linear: [0.9, 0.99]}"
    suite = changed(tmp_path, f"{{budget: 100, search: {{{ranges}}}}}")
    for trial in of(suite, "equal"):
        lr, dropout = trial.parts["optimizer"]["lr"], trial.parts["architecture"]["dropout"]
        assert 1.2345e-4 <= lr <= 0.98765
        assert 0.9 <= dropout <= 0.99
        assert lr == float(f"{lr:.3g}")
        assert len(str(dropout)) <= len("0.90123")
    assert len({trial.parts["architecture"]["dropout"] for trial in of(suite, "equal")}) > 90  # narrow, yet resolved


@pytest.mark.parametrize(
    ("given", "fewest"), [("linear: [1, 4]", 20), ("log: [1, 4]", 10), ("values: [1, 2, 3, 4]", 24)]
)
def test_whole_numbers_reach_both_ends_and_all_between(tmp_path: Path, given: str, fewest: int) -> None:
    search = f"{{budget: 100, search: {{train.batch_size: {{{given}}}, optimizer.lr: {{log: [0.1, 1]}}}}}}"
    found = Counter(batch for _, batch in values(changed(tmp_path, search)))
    assert sorted(found) == [1, 2, 3, 4]
    assert all(type(batch) is int for batch in found)
    assert min(found.values()) >= fewest


def test_whole_ends_of_a_real_parameter_stay_real(tmp_path: Path) -> None:
    suite = changed(tmp_path, "{budget: 2, search: {optimizer.lr: {linear: [1, 3]}}}")
    assert [trial.parts["optimizer"]["lr"] for trial in of(suite, "equal")] == [2.0, 2.5]


def test_points_that_coincide_count_once(tmp_path: Path) -> None:
    ranges = "train.batch_size: {values: [16, 32, 64]}, architecture.trunk.kind: {values: [mlp, cnn]}"
    found = of(changed(tmp_path, f"{{budget: 16, search: {{{ranges}}}}}"), "equal")
    assert len({trial.id for trial in found}) == len(found) == 6


def test_entries_are_values_too(tmp_path: Path) -> None:
    suite = changed(tmp_path, "{budget: 8, search: {optimizer: {values: [adam, {name: sgd, lr: 1}]}}}")
    assert {trial.parts["optimizer"]["name"] for trial in of(suite, "equal")} == {"adam", "sgd"}


def test_a_budget_of_one_is_no_choice(tmp_path: Path) -> None:
    (trial,) = of(changed(tmp_path, "{budget: 1, search: {optimizer.lr: {log: [0.01, 1]}}}"), "equal")
    assert (trial.labels.role, trial.parts["optimizer"]["lr"]) == ("", 0.1)


def test_methods_and_profiles_change_parts_of_a_search(tmp_path: Path) -> None:
    text = TEXT.replace(
        "  equal: {}", "  equal: {tune: {search: {optimizer.lr: {linear: [1, 3]}, train.batch_size: null}}}"
    )
    found = of(read(tmp_path, text), "equal")
    assert [trial.parts["optimizer"]["lr"] for trial in found[:3]] == [2.0, 2.5, 1.5]
    assert {trial.parts["train"]["batch_size"] for trial in found} == {128}
    (tmp_path / "p.yaml").write_text(TEXT)
    more = read_suite(tmp_path / "p.yaml", tables=TABLES, profile="more")
    assert len(of(more, "equal")) == len(of(more, "own")) == 16
    other = read_suite(tmp_path / "p.yaml", tables=TABLES, profile="other")
    assert [lr for lr, _ in values(other)][:2] == [0.75, 0.875]
    assert trials(read(tmp_path, to_yaml(other.resolved()))) == trials(other)


def test_a_list_of_a_method_replaces_the_search(tmp_path: Path) -> None:
    found = of(read(tmp_path, TEXT.replace("equal: {}", "equal: {tune: {optimizer.lr: [1, 2]}}")), "equal")
    assert [trial.labels.choice for trial in found] == ["optimizer.lr=1", "optimizer.lr=2"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("  plain: {tune: {}, optimizer: {lr: 2}}\n", ""),
        ("  equal: {}\n  own", "  own"),
        ("seeds: 2", "seeds: 2\nsingle_task: {tune: {search: {train.batch_size: null}}}"),
        ("seeds: 2", "seeds: 2\nsingle_task: {tune: {budget: 3}}"),
    ],
)
def test_the_resolved_suite_gives_the_same_trials(tmp_path: Path, old: str, new: str) -> None:
    for text in (
        TEXT.replace(old, new),
        "\n".join(line for line in TEXT.replace(old, new).splitlines() if "pl" not in line),
    ):
        suite = read(tmp_path, text)
        again = read(tmp_path, to_yaml(suite.resolved()))
        assert trials(again) == trials(suite)
        assert again.resolved() == suite.resolved()


def test_a_learner_searches_what_it_uses(tmp_path: Path) -> None:
    text = TEXT.replace("  plain: {tune: {}, optimizer: {lr: 2}}", "  plain: {learner: closed}")
    (trial,) = of(read(tmp_path, text), "plain")
    assert trial.labels.role == ""
    own = "  plain: {learner: closed, tune: {search: {learner.penalty: {linear: [1, 2]}}}}"
    found = of(read(tmp_path, text.replace("  plain: {learner: closed}", own)), "plain")
    assert len(found) == 8
    assert found[0].labels.choice == "learner.penalty=1.5"
    wrong = own.replace("learner.penalty", "optimizer.lr")
    (fault,) = faults(tmp_path, text.replace("  plain: {learner: closed}", wrong))
    assert "learner 'closed' uses no optimizer" in fault


LR, BATCH = "{log: [1.0e-4, 1.0e-1]}", "{log: [16, 256]}"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("budget: 8, ", "", "8:7: tune: missing key 'budget', given neither here nor for the suite: how many points"),
        ("budget: 8", "budget: 0", f"8:16: tune.budget: expected an integer from 1 to {MAX_CANDIDATES}, got 0"),
        ("budget: 8", "budget: 101", "8:16: tune.budget: expected an integer from 1 to 100, got 101"),
        ("budget: 8", "budget: 2.5", "8:16: tune.budget: expected an integer from 1 to 100, got 2.5"),
        ("budget: 8", "budget: true", "8:16: tune.budget: expected an integer from 1 to 100, got true"),
        ("budget: 8", "optimizer.lr: [1]", "8:8: tune: expected budget and search alone, got 'optimizer.lr'"),
        ("budget: 8", "budget: 8, trials: 3", "8:19: tune: expected budget and search alone, got 'trials'"),
        (LR, "[1, 2]", "8:42: tune.search.optimizer.lr: expected one of {log: [low, high]}, {linear: [low, high]} and"),
        (LR, "{log: [1, 2], linear: [1, 2]}", "8:42: tune.search.optimizer.lr: expected one of {log: [low, high]}"),
        (LR, "{}", "8:42: tune.search.optimizer.lr: expected one of {log: [low, high]}"),
        (LR, "{lin: [1, 2]}", "8:43: unknown key 'lin' of tune.search.optimizer.lr, did you mean 'linear'?"),
        (LR, "{log: [0, 1]}", "8:48: tune.search.optimizer.lr.log: expected two numbers > 0, the lower first, got [0"),
        (LR, "{log: [2, 1]}", "8:48: tune.search.optimizer.lr.log: expected two numbers > 0, the lower first"),
        (LR, "{log: [1, 2, 3]}", "8:48: tune.search.optimizer.lr.log: expected two numbers > 0, the lower first"),
        (LR, "{linear: [1, 1]}", "8:51: tune.search.optimizer.lr.linear: expected distinct values, got [1, 1]"),
        (LR, "{linear: [1, .inf]}", "8:51: tune.search.optimizer.lr.linear: expected two numbers, the lower first"),
        (LR, "{linear: [a, b]}", "8:51: tune.search.optimizer.lr.linear: expected two numbers, the lower first"),
        (LR, "{linear: [false, true]}", "8:51: tune.search.optimizer.lr.linear: expected two numbers, the lower first"),
        (LR, "{linear: 3}", "8:51: tune.search.optimizer.lr.linear: expected a list of one or more values, got 3"),
        (LR, "{values: []}", "8:51: tune.search.optimizer.lr.values: expected a list of one or more values, got []"),
        (LR, "{linear: [-1, 1]}", "8:52: optimizer.lr: expected a number > 0, got -1"),
        (LR, "{values: [1, 2, 3, 4, 5, 6, 7, 8, 9, -1]}", "8:79: optimizer.lr: expected a number > 0, got -1"),
        (BATCH, "{log: [16.5, 256]}", "8:92: train.batch_size: expected an integer, got 16.5"),
        ("optimizer.lr:", "optimizer.lrr:", "8:28: unknown key 'lrr' of optimizer 'adam', did you mean 'lr'?"),
        ("optimizer.lr:", "optimiser.lr:", "8:28: tune: cannot vary 'optimiser.lr': did you mean 'optimizer'?"),
        ("optimizer.lr:", "train:", "8:60: tune: 'train' and 'train.batch_size' set the same"),
        ("search: {optimizer.lr", "search: 3, unknown: {optimizer.lr", "8:27: tune.search: expected a mapping, got 3"),
        ("{search: {weighting", "{search: {weigthing", "5:70: tune: cannot vary 'weigthing.normalize': did"),
        ("more: {tune: {budget: 16}}", "more: {tune: {budget: 0}}", "10:25: tune.budget: expected an integer from 1"),
    ],
)  # fmt: skip
def test_faults_have_their_places(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert old in TEXT
    found = faults(tmp_path, TEXT.replace(old, new))
    assert any(each.startswith(fault) for each in found), found


@pytest.mark.parametrize("key", ["optimizer.lrr", "optimizer.lr"])
def test_a_fault_is_told_once_and_not_for_every_point(tmp_path: Path, key: str) -> None:
    found = faults(tmp_path, TEXT.replace("optimizer.lr: {log: [1.0e-4, 1.0e-1]}", f"{key}: {{linear: [-1, 1]}}"))
    assert len(found) == 1, found


def test_a_method_brings_what_the_suite_leaves_open(tmp_path: Path) -> None:
    common = "tune: {budget: 4}\nsingle_task: {tune: {}}\n"
    text = UNTUNED.replace("equal: {}", "equal: {tune: {search: {optimizer.lr: {log: [0.01, 1]}}}}") + common
    assert len(of(read(tmp_path, text), "equal")) == 4
    with pytest.raises(SuiteError, match="missing key 'search', given neither here nor for the suite: ranges by key"):
        read(tmp_path, UNTUNED + common)


def test_a_suite_without_a_search_does_without_scipy(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("mtlbench.suite.search._sobol", lambda dimensions: 1 / 0)
    assert len(of(read(tmp_path, UNTUNED), "equal")) == 1
