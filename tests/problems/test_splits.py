from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mtlbench.problems.splits import Fractions, apportion, assign, generator, keep_classes

shares = st.tuples(st.floats(0.05, 1), st.floats(0.05, 1), st.floats(0.05, 1))


def fractions(parts: tuple[float, float, float]) -> Fractions:
    train, validation, test = (part / sum(parts) for part in parts)
    return Fractions(train=train, validation=validation, test=test)


@settings(deadline=None)
@given(st.integers(0, 10**6), shares)
def test_counts_add_up_and_are_within_one_row(rows: int, parts: tuple[float, float, float]) -> None:
    counts = apportion(rows, parts)
    assert sum(counts) == rows
    for count, part in zip(counts, parts, strict=True):
        assert abs(count - rows * part / sum(parts)) < 1 + 1e-5


def test_known_counts() -> None:
    assert Fractions().counts(1797) == (1078, 360, 359)
    assert apportion(60_000, (0.6, 0.2, 0)) == (45_000, 15_000, 0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=10, max_size=300), shares, st.integers(0, 99))
def test_assign_is_exact_in_all_and_proportional_in_each_stratum(
    strata: list[int], parts: tuple[float, float, float], seed: int
) -> None:
    ids, sizes = np.array(strata), fractions(parts).counts(len(strata))
    part = assign(ids, sizes, generator(seed))
    assert tuple(np.bincount(part, minlength=3)) == sizes
    for stratum in set(strata):
        found = np.bincount(part[ids == stratum], minlength=3)
        expected = np.array(sizes) * (ids == stratum).sum() / len(ids)
        assert np.abs(found - expected).max() < 2


@settings(deadline=None)
@given(shares, st.integers(1, 9), st.integers(0, 99))
def test_fewest_rows_of_a_stratum_reach_every_split(parts: tuple[float, float, float], strata: int, seed: int) -> None:
    rule = fractions(parts)
    ids = np.repeat(np.arange(strata), rule.fewest_rows)
    part = assign(ids, rule.counts(len(ids)), generator(seed))
    for stratum in range(strata):
        assert set(part[ids == stratum]) == {0, 1, 2}


def test_a_stratum_of_one_row_comes_into_every_split_some_time() -> None:
    for strata in (np.arange(20), np.r_[np.ones(7), 0, np.ones(12)]):
        assert {assign(strata, (12, 4, 4), generator(seed))[7] for seed in range(60)} == {0, 1, 2}


def test_every_row_is_tested_with_its_share_of_seeds() -> None:
    strata = np.arange(30) % 3
    tested = np.mean([assign(strata, (18, 6, 6), generator(seed)) == 2 for seed in range(400)], axis=0)
    assert np.abs(tested - 0.2).max() < 0.08  # four standard deviations of a proportion


@settings(deadline=None)
@given(st.lists(st.integers(-1, 5), min_size=30, max_size=60), st.integers(0, 99))
def test_keep_classes_changes_no_size_and_leaves_no_class_out(codes: list[int], seed: int) -> None:
    known = np.array(codes)
    part = assign(np.zeros(len(known)), Fractions().counts(len(known)), generator(seed))
    before = np.bincount(part)
    keep_classes(part, np.r_[known])
    assert (np.bincount(part) == before).all()
    assert set(known[part == 0]) | {-1} == set(known) | {-1}


def test_train_without_a_row_has_none_to_give() -> None:
    part = np.array([1, 2, 1])
    keep_classes(part, np.array([0, 1, -1]))
    assert part.tolist() == [1, 2, 1]


@pytest.mark.parametrize("wrong", [{"train": 0.9}, {"train": 0.6, "validation": 0.4, "test": 0.0}, {"test": -0.2}])
def test_fractions_sum_to_one(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=r"= 1, got|greater than 0"):
        Fractions.model_validate(wrong)
