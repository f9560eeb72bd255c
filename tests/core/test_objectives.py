"""Formulas with known Pareto sets, against their papers and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtlbench.core.objectives import Bowls, TwoValleys, objectives_of


def test_the_front_is_the_papers() -> None:
    formulas, points = TwoValleys(), TwoValleys().pareto_set()[[0, 700, 1400]]
    np.testing.assert_allclose(points, [[-7, -8.435], [0, -8.355], [7, -8.435]], atol=1e-3)
    values = np.stack([formulas.value(t, points, np) for t in (0, 1)], axis=1)
    np.testing.assert_allclose(values, [[-0.398, -19.989], [-15.092, -15.092], [-19.989, -0.398]], atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_gradients_on_the_pareto_set_are_opposed(scale: float) -> None:
    formulas = TwoValleys(scale=scale)
    x = torch.tensor(formulas.pareto_set()[1:-1:100]).requires_grad_()
    first, second = (torch.autograd.grad(formulas.value(t, x, torch).sum(), x)[0] for t in (0, 1))
    cosines = torch.cosine_similarity(first, second)
    torch.testing.assert_close(cosines, -torch.ones(len(x), dtype=x.dtype), rtol=0, atol=1e-9)


@pytest.mark.parametrize("formulas", [TwoValleys(scale=0.1), Bowls(tasks=4, dimensions=3, ratio=10.0)], ids=str)
def test_numpy_and_torch_agree_and_nothing_is_below_the_bound(formulas: TwoValleys | Bowls) -> None:
    x = np.random.default_rng(0).uniform(-10, 10, (200, getattr(formulas, "dimensions", 2)))
    for t, lower in enumerate(formulas.lower):
        value = formulas.value(t, x, np)
        np.testing.assert_allclose(formulas.value(t, torch.tensor(x), torch).numpy(), value, rtol=1e-12)
        assert (value >= lower).all()


def test_gaps() -> None:
    formulas = TwoValleys()
    assert formulas.gap(np.array([3.0, -8.37])) < 0.01
    assert formulas.gap(np.array([-8.5, 7.5])) > 10
    bowls = Bowls(tasks=4, ratio=7.0)  # the square with corners (1, 0), (0, 1), (-1, 0), (0, -1)
    assert bowls.gap(np.array([0.3, -0.2])) == pytest.approx(0, abs=1e-6)
    assert bowls.gap(np.array([1.0, 1.0])) == pytest.approx(0.5**0.5, abs=1e-6)
    assert bowls.gap(np.array([3.0, 0.0])) == pytest.approx(2, abs=1e-6)


def test_bowls_from_shallow_to_steep() -> None:
    bowls = Bowls(tasks=3, ratio=100.0)
    origin = np.zeros(2)
    np.testing.assert_allclose([bowls.value(t, origin, np) for t in range(3)], [0.5, 5.0, 50.0])


def test_a_problem_of_a_suite_names_its_formulas() -> None:
    assert objectives_of({"name": "toy", "scale": 0.1, "steps": 5}) == TwoValleys(scale=0.1)
    assert objectives_of({"name": "digits"}) is None
