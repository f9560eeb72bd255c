"""The penalty on the heads' covariance, its gradient and the covariance against formulas in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mtlbench.core.task import Outline, TaskSpec
from mtlbench.penalties import TABLE

RHO, EPS = 0.3, 0.1
PENALTY = TABLE.build({"name": "task_covariance", "strength": RHO, "smoothing": EPS})
NOTHING = nn.Identity()


def heads_of(columns_CD: Tensor, *outputs: int) -> list[nn.Linear]:
    """Heads with these weights, of as many outputs each."""
    heads = []
    for rows in columns_CD.split(outputs):
        heads.append(nn.Linear(rows.shape[1], len(rows), dtype=rows.dtype))
        heads[-1].weight.data.copy_(rows)
    return heads


def drawn(count: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(count, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradient_of(heads: list[nn.Linear]) -> Tensor:
    for head in heads:
        head.weight.grad = None
    PENALTY.term(NOTHING, heads).backward()
    return torch.cat([head.weight.grad for head in heads if head.weight.grad is not None])


def root(columns_CD: Tensor, eps: float = EPS) -> Tensor:
    """(W'W + eps^2 I)^1/2 [C, C], by the eigenvectors of W'W."""
    eye = torch.eye(len(columns_CD), dtype=columns_CD.dtype)
    values, basis = torch.linalg.eigh(columns_CD @ columns_CD.T + eps**2 * eye)
    found: Tensor = (basis * values.sqrt()) @ basis.T
    return found


@pytest.mark.parametrize(("count", "width"), [(6, 9), (6, 6), (6, 4)])  # of C columns, at most width are independent
def test_value_gradient_and_covariance_are_the_formulas(count: int, width: int) -> None:
    columns = drawn(count, width)
    heads = heads_of(columns, 1, 3, 2)
    omega = root(columns) / root(columns).trace()
    torch.testing.assert_close(PENALTY.covariance(heads), omega)
    inverse = torch.linalg.inv(omega)
    value = RHO * (torch.trace(columns.T @ inverse @ columns) + EPS**2 * inverse.trace())
    torch.testing.assert_close(PENALTY.term(NOTHING, heads).detach(), value)
    torch.testing.assert_close(gradient_of(heads), 2 * RHO * inverse @ columns)
    assert all(head.bias.grad is None for head in heads)


@pytest.mark.parametrize(("count", "width"), [(5, 7), (5, 3)])
def test_the_gradient_is_that_of_the_minimum_over_covariances(count: int, width: int) -> None:
    """Danskin: of rho (tr (W'W + eps^2 I)^1/2)^2, by finite differences; a line search sees one function."""
    columns = drawn(count, width)
    found = gradient_of(heads_of(columns, *[1] * count))
    step = 1e-5
    for c, d in ((0, 0), (2, 1), (4, 2)):
        moved = torch.zeros_like(columns)
        moved[c, d] = step
        above, below = (RHO * root(columns + sign * moved).trace() ** 2 for sign in (1, -1))
        torch.testing.assert_close(found[c, d], (above - below) / (2 * step), rtol=1e-6, atol=1e-8)


def test_the_covariance_is_the_best_of_its_trace() -> None:
    columns = drawn(4, 5)
    best = PENALTY.covariance(heads_of(columns, 2, 2))
    torch.testing.assert_close(best.trace(), torch.tensor(1.0, dtype=torch.float64))

    def cost(omega: Tensor) -> Tensor:
        product: Tensor = torch.linalg.inv(omega) @ (columns @ columns.T + EPS**2 * torch.eye(4))
        return product.trace()

    for seed in range(20):
        direction = drawn(4, 4, seed + 1)
        direction = direction + direction.T
        direction -= direction.trace() / 4 * torch.eye(4)
        assert cost(best + 1e-3 * direction) > cost(best)


def test_two_orthogonal_tasks_by_hand() -> None:
    """Singular values 3 and 4, eps 0: Omega = diag(3, 4) / 7, and 9 * 7/3 + 16 * 7/4 = 49."""
    sharp = TABLE.build({"name": "task_covariance", "strength": 1.0, "smoothing": 1e-12})
    heads = heads_of(torch.tensor([[3.0, 0.0], [0.0, 4.0]]), 1, 1)
    value = sharp.term(NOTHING, heads)
    value.backward()
    torch.testing.assert_close(value.detach(), torch.tensor(49.0))
    torch.testing.assert_close(heads[0].weight.grad, torch.tensor([[14.0, 0.0]]))  # 2 * 7/3 * 3
    torch.testing.assert_close(heads[1].weight.grad, torch.tensor([[0.0, 14.0]]))
    torch.testing.assert_close(sharp.covariance(heads), torch.tensor([[3.0, 0.0], [0.0, 4.0]]) / 7)


def test_one_output_is_ridge_and_equal_tasks_pay_as_one_each() -> None:
    w = torch.tensor([[1.0, 2.0, 2.0]])
    torch.testing.assert_close(gradient_of(heads_of(w, 1)), 2 * RHO * w)
    torch.testing.assert_close(PENALTY.covariance(heads_of(w, 1)), torch.ones(1, 1))
    sharp = TABLE.build({"name": "task_covariance", "strength": RHO, "smoothing": 1e-6})
    equal = heads_of(w.repeat(4, 1), 1, 1, 1, 1)
    value = sharp.term(NOTHING, equal)
    value.backward()
    torch.testing.assert_close(value.detach(), torch.tensor(4 * RHO * 9), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(equal[2].weight.grad, 2 * RHO * w, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sharp.covariance(equal), torch.full((4, 4), 0.25), rtol=1e-4, atol=1e-4)


def test_names_of_classes_do_not_matter() -> None:
    columns = drawn(6, 4)
    renamed = columns[[0, 3, 1, 2, 4, 5]]  # the classes of the second task
    value, other = (PENALTY.term(NOTHING, heads_of(c, 1, 3, 2)) for c in (columns, renamed))
    torch.testing.assert_close(value, other)


def test_no_weights_have_no_preference() -> None:
    heads = heads_of(torch.zeros(5, 3), 3, 2)
    assert gradient_of(heads).tolist() == [[0.0] * 3] * 5
    torch.testing.assert_close(PENALTY.covariance(heads), torch.eye(5) / 5)


def test_training_that_diverges_is_not_stopped_here() -> None:
    """Whoever watches the losses has the better message."""
    broken = torch.ones(3, 2)
    broken[1, 1] = torch.nan
    assert PENALTY.term(NOTHING, heads_of(broken, 1, 1, 1)).isnan()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_single_precision_is_enough(scale: float) -> None:
    columns = scale * drawn(40, 30)
    columns[20:] = columns[:20]  # every task has an equal, so ten directions are rounding errors
    found, exact = (gradient_of(heads_of(c, *[1] * 40)) for c in (columns.float(), columns))
    assert (found - exact).norm() <= 1e-4 * exact.norm()


def test_convolutions_relate_as_linear_layers_do() -> None:
    columns = drawn(5, 4)
    convolutions = [nn.Conv2d(4, n, 1, dtype=torch.float64) for n in (3, 2)]
    for convolution, rows in zip(convolutions, columns.split((3, 2)), strict=True):
        convolution.weight.data.copy_(rows[..., None, None])
    torch.testing.assert_close(PENALTY.term(NOTHING, convolutions), PENALTY.term(NOTHING, heads_of(columns, 3, 2)))


def test_what_cannot_be_related() -> None:
    tasks = (TaskSpec("a", 10, "cross_entropy"), TaskSpec("b", 1, "mse"))
    outline = Outline(tasks, (4,), 9)
    assert PENALTY.check(outline, common=True) == []
    assert PENALTY.check(outline.only(("a",)), common=False) == []
    (sentence,) = PENALTY.check(outline, common=False)
    assert "expected tasks whose heads read common features" in sentence


def test_others_learn_no_covariance() -> None:
    assert TABLE.build({"name": "trace"}).covariance([nn.Linear(3, 2)]) is None
