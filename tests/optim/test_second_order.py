"""L-BFGS and Newton: exact on quadratics, descent elsewhere, refusals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from mtlbench.core.errors import UnavailableError
from mtlbench.engine.buffers import Buffers
from mtlbench.engine.closure import Objective, evaluates_again
from mtlbench.optim import OPTIMIZERS
from mtlbench.optim.newton import _conjugate, _solved
from tests import entries

NEWTONS = [{"name": "newton", "hessian": kind, "damping": 0.0} for kind in ("exact", "free")]


def objective(loss: Callable[[], Tensor], optimizer: torch.optim.Optimizer) -> Objective:
    return Objective(
        lambda: loss()[None], torch.ones(1, dtype=torch.float64), lambda: None, optimizer, Buffers(torch.nn.Module())
    )


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive(size: int) -> Tensor:
    root = random(size, size)
    return root @ root.T + torch.eye(size, dtype=torch.float64)


@pytest.mark.parametrize("spec", NEWTONS, ids=lambda spec: spec["hessian"])
def test_one_newton_step_solves_a_quadratic(spec: dict[str, object]) -> None:
    matrix, shift = positive(6), random(6, seed=1)
    first, second = Parameter(random(2, 2, seed=2)), Parameter(random(2, seed=3))

    def loss() -> Tensor:
        x = torch.cat([first.flatten(), second])
        return x @ matrix @ x / 2 - shift @ x

    optimizer = OPTIMIZERS.build(spec).build([first, second], [], "loop")
    before = loss().item()
    steps = 1 if spec["hessian"] == "exact" else 20  # conjugate gradients stop early, the earlier the farther away
    for _ in range(steps):
        returned = optimizer.step(objective(loss, optimizer))
        assert returned.item() == pytest.approx(before)
        before = loss().item()
    found = torch.cat([first.detach().flatten(), second.detach()])
    torch.testing.assert_close(found, torch.linalg.solve(matrix, shift), rtol=1e-7, atol=1e-8)


def test_directions_are_damped_solutions() -> None:
    matrix, gradient, mu = positive(5), random(5, seed=1), 0.7
    wanted = -torch.linalg.solve(matrix + mu * torch.eye(5, dtype=torch.float64), gradient)
    torch.testing.assert_close(_solved(lambda v: matrix @ v, gradient, mu), wanted)
    small = gradient * 1e-12  # so that conjugate gradients go on to the end
    torch.testing.assert_close(_conjugate(lambda v: matrix @ v, small, mu, 50), wanted * 1e-12, rtol=1e-3, atol=0)


def test_negative_curvature_still_gives_a_direction_of_descent() -> None:
    matrix, gradient = torch.diag(torch.tensor([1.0, -2.0])), torch.tensor([1.0, 1.0])
    for direction in (
        _solved(lambda v: matrix @ v, gradient, 0.0),
        _conjugate(lambda v: matrix @ v, gradient, 0.0, 10),
        _conjugate(lambda v: -v, gradient, 0.0, 10),
    ):
        assert float(direction @ gradient) < 0


@pytest.mark.parametrize("spec", [*NEWTONS, {"name": "lbfgs"}, {"name": "lbfgs", "iterations": 5}], ids=str)
def test_rosenbrock(spec: dict[str, object]) -> None:
    x = Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))

    def loss() -> Tensor:
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    optimizer = OPTIMIZERS.build(spec).build([x], [], "loop")
    before = loss().item()
    for _ in range(200):
        optimizer.step(objective(loss, optimizer))
        assert loss().item() <= before
        before = loss().item()
    assert x.tolist() == pytest.approx([1, 1], abs=1e-5)


def test_where_no_step_helps_the_parameters_stay() -> None:
    x = Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = OPTIMIZERS.build({"name": "newton", "hessian": "exact"}).build([x], [], "loop")
    optimizer.step(objective(lambda: (x**2).sum(), optimizer))
    assert x.tolist() == [0, 0]


def test_the_exact_hessian_has_a_size_limit() -> None:
    build = partial(OPTIMIZERS.build({"name": "newton", "hessian": "exact"}).build, weighting=[], update="loop")
    assert build([Parameter(torch.zeros(2_000))])
    with pytest.raises(UnavailableError, match="at most 2,000 parameters, got 2,001: set hessian: free"):
        build([Parameter(torch.zeros(2_001))])


@pytest.mark.parametrize("name", ["lbfgs", "newton"])
def test_weightings_that_learn_are_refused(name: str) -> None:
    optimizer = OPTIMIZERS.build({"name": name})
    with pytest.raises(UnavailableError, match="expected a weighting without parameters"):
        optimizer.build([Parameter(torch.ones(1))], [Parameter(torch.ones(1))], "loop")
    assert optimizer.check_weighting(True)
    assert not optimizer.check_weighting(False)
    assert not OPTIMIZERS.build({"name": "adam"}).check_weighting(True)


def test_who_evaluates_again() -> None:
    rows = {name: OPTIMIZERS.build({"name": name, **OPTIMIZERS.load(name).example()}) for name in OPTIMIZERS}
    built = {name: row.build([Parameter(torch.ones(1))], [], "loop") for name, row in rows.items()}
    assert all(evaluates_again(built[name]) for name in ("lbfgs", "newton"))
    assert all(entries.optimizer(name).trains_weightings != evaluates_again(built[name]) for name in OPTIMIZERS)


def test_an_objective_draws_the_same_numbers_every_time() -> None:
    parameter = Parameter(torch.ones(100, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    torch.manual_seed(0)
    dropped = objective(lambda: torch.dropout(parameter, 0.5, train=True).sum(), optimizer)
    state = torch.get_rng_state()
    assert dropped.value().item() == dropped.value().item() == dropped().item()
    assert torch.equal(torch.get_rng_state(), state)
    assert parameter.grad is not None
    assert set(parameter.grad.tolist()) == {0.0, 2.0}
