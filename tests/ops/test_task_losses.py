"""The reference of task_losses against torch's own losses, and where it must differ from them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtlbench.core.task import LOSS_KINDS
from mtlbench.ops import per_task_losses, task_losses

TORCH = {
    "cross_entropy": F.cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth_l1": F.smooth_l1_loss,
}


def draw(kind: str, rows: int, size: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if kind == "cross_entropy":
        output = torch.randn(rows, size + 1, generator=generator, dtype=dtype)
        return output.requires_grad_(), torch.randint(size + 1, (rows,), generator=generator)
    shape = (rows,) if kind == "bce_with_logits" else (rows, size)
    output = 3 * torch.randn(shape, generator=generator, dtype=dtype)
    target = torch.rand(shape, generator=generator, dtype=dtype)
    return output.requires_grad_(), target.round() if kind == "bce_with_logits" else target


def test_the_kinds_are_those_of_core() -> None:
    assert set(TORCH) == set(LOSS_KINDS)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@given(
    kinds=st.lists(st.sampled_from(sorted(TORCH)), min_size=1, max_size=5),
    rows=st.integers(1, 9),
    size=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_losses_and_gradients_are_torchs(reduction: str, kinds: list[str], rows: int, size: int, seed: int) -> None:
    drawn = [draw(kind, rows + t, size, seed + t) for t, kind in enumerate(kinds)]
    outputs, targets = [o for o, _ in drawn], [t for _, t in drawn]
    weights = torch.rand(len(kinds), dtype=torch.float64, requires_grad=True)
    total, losses = task_losses(outputs, targets, kinds, weights, reduction=reduction)
    expected = torch.stack([TORCH[k](o, t, reduction=reduction) for k, (o, t) in zip(kinds, drawn, strict=True)])
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(total, (weights * expected).sum())
    found = torch.autograd.grad(total, [*outputs, weights])
    wanted = torch.autograd.grad((weights * expected).sum(), [*outputs, weights])
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", sorted(TORCH))
def test_a_masked_row_does_not_exist(kind: str, reduction: str) -> None:
    output, target = draw(kind, 7, 3)
    mask = torch.tensor([True, False, True, True, False, False, True])
    _, (loss,) = task_losses([output], [target], [kind], masks=[mask], reduction=reduction)
    expected = TORCH[kind](output[mask], target[mask], reduction=reduction)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, output), torch.autograd.grad(expected, output))


@pytest.mark.parametrize("kind", sorted(TORCH))
@pytest.mark.parametrize("rows", [0, 4])
@pytest.mark.parametrize("ignore_index", [-100, None])
def test_a_task_without_a_labelled_row_has_no_loss_and_no_gradient(
    kind: str, rows: int, ignore_index: int | None
) -> None:
    output, target = draw(kind, rows, 3)
    other, label = draw("mse", 5, 1)
    masks = [torch.zeros(rows, dtype=torch.bool) if rows else None, None]
    total, losses = task_losses([output, other], [target, label], [kind, "mse"], masks=masks, ignore_index=ignore_index)
    total.backward()
    assert losses[0] == 0
    assert torch.equal(output.grad, torch.zeros_like(output))
    torch.testing.assert_close(total, F.mse_loss(other, label))


def test_ignored_targets_and_label_smoothing_concern_cross_entropy_alone() -> None:
    output, target = draw("cross_entropy", 6, 4)
    target[[1, 3]] = 2
    value, label = draw("mse", 6, 4)
    settings = {"ignore_index": 2, "label_smoothing": 0.2}
    _, losses = task_losses([output, value], [target, label], ["cross_entropy", "mse"], **settings)
    torch.testing.assert_close(losses[0], F.cross_entropy(output, target, **settings))
    torch.testing.assert_close(losses[1], F.mse_loss(value, label))
    plain = per_task_losses([output], [target], ["cross_entropy"], ignore_index=None, label_smoothing=0.2)
    torch.testing.assert_close(plain[0], F.cross_entropy(output, target, label_smoothing=0.2))
    nothing = torch.full_like(target, 2)
    _, (loss,) = task_losses([output], [nothing], ["cross_entropy"], **settings)
    loss.backward()
    assert loss == 0
    assert not output.grad.any()


def test_gradients_by_finite_differences() -> None:
    drawn = [draw(kind, 3, 2, seed=5) for kind in sorted(TORCH)]
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([True, False, True])

    def function(weights: Tensor, *outputs: Tensor) -> tuple[Tensor, Tensor]:
        targets = [target for _, target in drawn]
        return task_losses(outputs, targets, sorted(TORCH), weights, masks=[mask, None, mask, None, mask])

    assert torch.autograd.gradcheck(function, (weights, *(output for output, _ in drawn)))


def test_a_weight_of_zero_does_not_hide_nan() -> None:
    output, target = draw("mse", 3, 1)
    total, losses = task_losses([output * torch.nan, output], [target, target], ["mse", "mse"], torch.zeros(2).double())
    assert total.isnan()
    assert losses.isnan().tolist() == [True, False]


def test_no_graph_break() -> None:
    drawn = [draw(kind, 4, 2) for kind in sorted(TORCH)]
    outputs, targets = [o for o, _ in drawn], [t for _, t in drawn]
    mask = torch.tensor([True, False, True, True])
    masks = [mask, None, mask, None, mask]
    compiled = torch.compile(task_losses, fullgraph=True, backend="eager")
    found, expected = (f(outputs, targets, sorted(TORCH), masks=masks) for f in (compiled, task_losses))
    torch.testing.assert_close(found, expected)
    torch.compiler.reset()


def test_what_does_not_fit_is_said() -> None:
    output, target = draw("mse", 4, 2)
    with pytest.raises(ValueError, match="one output, target, kind and mask per task, got 1 outputs, 2 targets"):
        task_losses([output], [target, target], ["mse"])
    with pytest.raises(ValueError, match=r"mse: expected a target of shape \(4, 2\), got \(4,\)"):
        task_losses([output], [target[:, 0]], ["mse"])
    with pytest.raises(ValueError, match=r"expected a loss among cross_entropy, .*, got 'hinge'"):
        task_losses([output], [target], ["hinge"])
    with pytest.raises(ValueError, match="expected reduction mean or sum, got 'none'"):
        task_losses([output], [target], ["mse"], reduction="none")
