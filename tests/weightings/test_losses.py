"""Weights that never change: which are accepted, and what is said about the others."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mtlbench.core.errors import UnavailableError
from mtlbench.weightings import TABLE
from mtlbench.weightings.losses import Equal, Fixed

CPU = torch.device("cpu")
TASKS = ("digit", "parity")


def fixed(**parameters: Any) -> Fixed:
    built = TABLE.build({"name": "fixed", **parameters})
    assert isinstance(built, Fixed)
    return built


def test_equal_weights_are_those_of_the_mean() -> None:
    assert Equal().start(("a", "b", "c", "d"), CPU).tolist() == [0.25] * 4


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=6))
def test_normalized_weights_sum_to_one_in_their_proportions(weights: list[float]) -> None:
    found = fixed(weights=weights, normalize=True).start(tuple(map(str, range(len(weights)))), CPU)
    assert float(found.sum()) == pytest.approx(1)
    torch.testing.assert_close(found, (torch.tensor(weights).double() / sum(weights)).float())


def test_weights_by_name_come_in_the_order_of_the_tasks() -> None:
    found = fixed(weights={"parity": 0.25, "digit": 0.75})
    torch.testing.assert_close(found.start(TASKS, CPU), torch.tensor([0.75, 0.25]))
    assert fixed(weights=[1, 0]).start(TASKS, CPU).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.4], r"expected a sum of 1, got 0.9; correct them, or set normalize: true"),
        ([0.5, 0.5 + 2e-6], "expected a sum of 1"),
        ([0.0, 0.0], "expected a positive sum, got 0"),
        ({"digit": -0.5, "parity": 1.5}, "greater than or equal to 0"),
        ([float("nan"), 1.0], "finite"),
        ([], "expected a positive sum"),
        (["1"], "valid number"),
    ],
)
def test_weights_that_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        fixed(weights=weights)


def test_a_rounding_error_is_not_a_mistake() -> None:
    assert fixed(weights=[0.1] * 10).check(tuple("abcdefghij")) == []
    assert fixed(weights=[0.333333, 0.333333, 0.333334]).check(tuple("abc")) == []


def test_weights_for_other_tasks() -> None:
    unknown, missing = fixed(weights={"digt": 0.5, "parity": 0.5}).check(TASKS)
    assert unknown == "weights: unknown task 'digt', did you mean 'digit'?"
    assert missing == "weights: expected a weight for task 'digit', got none"
    assert fixed(weights=[0.5, 0.25, 0.25]).check(TASKS) == ["weights: expected 2 values (tasks digit, parity), got 3"]


def test_cross_validated_weights_are_a_grid_on_the_simplex() -> None:
    weighting = TABLE.build({"name": "fixed", "weights": "cross_validated", "parts": 5, "folds": 4})
    folds, specs = weighting.candidates(("a", "b", "c"))
    assert folds == 4
    found = [tuple(spec["weights"]) for spec in specs]
    assert len(found) == len(set(found)) == 6
    assert all(sum(weights) == pytest.approx(1) and min(weights) >= 0.2 for weights in found)
    assert (0.2, 0.6, 0.2) in found
    for spec in specs:
        assert TABLE.build(spec).check(("a", "b", "c")) == []
        assert TABLE.build(spec).candidates(("a", "b", "c")) == (0, ())
    assert weighting.candidates(("a",))[1][0]["weights"] == [1.0]


def test_cross_validated_weights_are_refused_where_they_would_be_too_many_or_none() -> None:
    build = partial(TABLE.build, {"name": "fixed", "weights": "cross_validated", "parts": 20})
    assert "expected 1 to 100 weights on the simplex for 5 tasks, got 3,876" in build().check(tuple("abcde"))[0]
    assert "got 0" in TABLE.build({"name": "fixed", "weights": "cross_validated"}).check(tuple("abcdefgh"))[0]
    assert build().check(("a", "b")) == []
    with pytest.raises(UnavailableError, match="chosen by `mtlbench run`"):
        build().start(("a", "b"), torch.device("cpu"))
