from __future__ import annotations

import itertools

import pytest

from mtlbench.core.power import Power, can_be_significant, seeds_needed, smallest_p


@pytest.mark.parametrize("seeds", range(1, 9))
def test_the_smallest_p_is_that_of_the_test_itself(seeds: int) -> None:
    """All differences of one sign: of the 2^n sums over flipped signs, two are as far from 0."""
    sums = [abs(sum(signs)) for signs in itertools.product((-1, 1), repeat=seeds)]
    assert smallest_p(seeds) == sum(total >= seeds for total in sums) / len(sums)


@pytest.mark.parametrize(("comparisons", "seeds"), [(1, 6), (2, 7), (3, 7), (4, 8), (10, 9), (20, 10), (40, 11)])
def test_seeds_that_are_needed(comparisons: int, seeds: int) -> None:
    assert seeds_needed(comparisons) == seeds
    assert can_be_significant(seeds, comparisons)
    assert not can_be_significant(seeds - 1, comparisons)


def test_random_flips_bound_the_number_of_comparisons() -> None:
    assert smallest_p(13) == 2 / 2**13
    assert smallest_p(14) == smallest_p(10_000) == 2 / 10_000
    assert seeds_needed(250) == 14
    assert seeds_needed(251) is None
    assert not can_be_significant(1000, 251)
    assert "that needs fewer comparisons at once, 250 at most" in str(Power(1000, 251))


def test_sentences() -> None:
    assert str(Power(5, 3)) == (
        "5 seeds: the smallest two-sided sign-flip p is 0.0625; with 3 methods tested against the baseline, no "
        "difference can be significant at 0.05 after Holm's correction: that needs 7 seeds, so the report will show "
        "intervals alone"
    )
    assert "1 seed: the smallest two-sided sign-flip p is 1;" in str(Power(1, 1))
    assert "a difference can be significant at 0.05" in str(Power(9, 10))


def test_a_corrected_t_test_needs_seeds_for_an_interval_alone() -> None:
    few, enough = Power(2, 36, corrected=True), Power(3, 36, corrected=True)
    assert "corrected t test cannot be made" in str(few)
    assert few.seeds_needed == 3
    assert (few.smallest_p, enough.smallest_p) == (1, 0)
    assert str(enough) == (
        "3 seeds: the corrected t test has no smallest p; with 36 methods tested against the baseline, a difference "
        "can be significant at 0.05 after Holm's correction"
    )
