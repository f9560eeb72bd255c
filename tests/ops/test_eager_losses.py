"""The losses of the baseline engines against torch's own, and where they must differ from them.

A loss that torch has no function for is compared with the mean or the sum of its reference at each position.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtlbench.core.losses import LOSSES
from mtlbench.ops.eager_losses import REFERENCES, per_task_losses

from .loss_oracle import grad_of


def _by_positions(name: str) -> Callable[..., Tensor]:
    def loss(x: Tensor, y: Tensor, reduction: str) -> Tensor:
        values = REFERENCES[name](x, y, LOSSES[name].number(None), 0.0, "none")
        return values.mean() if reduction == "mean" else values.sum()

    return loss


def _by_torch(name: str) -> Callable[..., Tensor]:
    """torch's function of this name, or of what its own name abbreviates."""
    names = (name, f"{name}_loss", name.replace("bce", "binary_cross_entropy"))
    found: Callable[..., Tensor] = next((f for n in names if (f := getattr(F, n, None))), _by_positions(name))
    return found


TORCH = {name: _by_torch(name) for name in LOSSES}


def draw(kind: str, rows: int, size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    of = LOSSES[kind].kind
    if of == "classification":
        output = torch.randn(rows, size + 1, generator=generator, dtype=torch.float64)
        return output.requires_grad_(), torch.randint(size + 1, (rows,), generator=generator)
    shape = (rows,) if of == "binary" else (rows, size)
    output = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    target = torch.rand(shape, generator=generator, dtype=torch.float64)
    return output.requires_grad_(), target.round() if of == "binary" else target


def test_torch_has_all_of_todays_losses_but_the_distance_of_directions() -> None:
    by_torch = [name for name, function in TORCH.items() if function.__module__.startswith("torch")]
    assert {"cross_entropy", "bce_with_logits", "mse", "l1", "smooth_l1", "huber"} <= set(by_torch)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@given(
    kinds=st.lists(st.sampled_from(sorted(TORCH)), min_size=1, max_size=5),
    rows=st.integers(1, 9),
    size=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_losses_and_gradients_are_torchs(reduction: Any, kinds: list[str], rows: int, size: int, seed: int) -> None:
    drawn = [draw(kind, rows + t, size, seed + t) for t, kind in enumerate(kinds)]
    outputs, targets = [o for o, _ in drawn], [t for _, t in drawn]
    losses = per_task_losses(outputs, targets, kinds, reduction=reduction, ignore_index=None)
    expected = torch.stack([TORCH[k](o, t, reduction=reduction) for k, (o, t) in zip(kinds, drawn, strict=True)])
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(torch.autograd.grad(losses.sum(), outputs), torch.autograd.grad(expected.sum(), outputs))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", sorted(TORCH))
def test_a_masked_row_does_not_exist_even_if_it_is_nan(kind: str, reduction: Any) -> None:
    output, target = draw(kind, 7, 3)
    mask = torch.tensor([True, False, True, True, False, False, True])
    expected = TORCH[kind](output[mask], target[mask], reduction=reduction)
    with torch.no_grad():
        output[~mask] = torch.nan
    (loss,) = per_task_losses([output], [target], [kind], masks=[mask], reduction=reduction)
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
    losses = per_task_losses([output, other], [target, label], [kind, "mse"], masks=masks, ignore_index=ignore_index)
    torch.autograd.backward(losses.sum())
    assert losses[0] == 0
    assert torch.equal(grad_of(output), torch.zeros_like(output))
    torch.testing.assert_close(losses[1], F.mse_loss(other, label))


def test_positions_in_trailing_dimensions() -> None:
    """Per-token and per-pixel tasks: classes are dimension 1, masks have the shape of the positions."""
    output = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(4, (2, 5))
    mask = torch.tensor([[True, True, False, False, False], [True, True, True, True, False]])
    (loss,) = per_task_losses([output], [target], ["cross_entropy"], masks=[mask], ignore_index=None)
    expected = F.cross_entropy(output.movedim(1, 2)[mask], target[mask])
    torch.testing.assert_close(loss, expected)


def test_ignored_targets_and_label_smoothing() -> None:
    output, target = draw("cross_entropy", 6, 4)
    target[[1, 3]] = 2
    (loss,) = per_task_losses([output], [target], ["cross_entropy"], ignore_index=2, label_smoothing=0.2)
    torch.testing.assert_close(loss, F.cross_entropy(output, target, ignore_index=2, label_smoothing=0.2))
    (plain,) = per_task_losses([output], [target], ["cross_entropy"], ignore_index=None, label_smoothing=0.2)
    torch.testing.assert_close(plain, F.cross_entropy(output, target, label_smoothing=0.2))
