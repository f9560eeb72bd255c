"""All task losses of one step, of different kinds and sizes, and their weighted total."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Reduction = Literal["mean", "sum"]

_ELEMENTWISE: dict[str, Callable[..., Tensor]] = {
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth_l1": F.smooth_l1_loss,
}


def task_losses(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    kinds: Sequence[str],
    weights: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    masks: Sequence[Tensor | None] | None = None,
) -> tuple[Tensor, Tensor]:
    """The total sum_t w_t L_t (a scalar; w_t = 1 without ``weights``) and the task losses L [T].

    Shapes, per task t: outputs [N_t, C] and targets int64 [N_t] for ``cross_entropy``; for the other kinds (names of
    torch.nn.functional's losses, smooth_l1 with beta 1) targets in the shape of the outputs, whose first dimension
    counts rows. masks: bool [N_t], True where the label is known, or None where all are; weights: [T].

    L_t is the ``reduction`` over the elements of labelled rows. A cross-entropy row is labelled if its target is not
    ``ignore_index`` either (None: every target is a label); ``label_smoothing`` concerns cross-entropy alone. A task
    without a labelled row has L_t = 0 and zero gradient, where torch's mean is NaN. Differentiable in outputs and
    weights; as in eager PyTorch, a weight of 0 does not hide a NaN loss.

    Raises ValueError where the sequences or a task's shapes do not match, or a kind or reduction is unknown.
    """
    per_task = per_task_losses(
        outputs,
        targets,
        kinds,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        masks=masks,
    )
    return (per_task.sum() if weights is None else torch.dot(per_task, weights)), per_task


def per_task_losses(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    kinds: Sequence[str],
    *,
    reduction: Reduction = "mean",
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    masks: Sequence[Tensor | None] | None = None,
) -> Tensor:
    """The task losses L [T] of ``task_losses``, without their total."""
    masks = [None] * len(outputs) if masks is None else masks
    if not len(outputs) == len(targets) == len(kinds) == len(masks):
        raise ValueError(
            "expected one output, target, kind and mask per task, got "
            f"{len(outputs)} outputs, {len(targets)} targets, {len(kinds)} kinds, {len(masks)} masks"
        )
    if reduction not in ("mean", "sum"):
        raise ValueError(f"expected reduction mean or sum, got {reduction!r}")
    losses = []
    for output, target, kind, mask in zip(outputs, targets, kinds, masks, strict=True):
        if kind == "cross_entropy":
            losses.append(_cross_entropy(output, target, mask, reduction, ignore_index, label_smoothing))
        else:
            losses.append(_elementwise(kind, output, target, mask, reduction))
    return torch.stack(losses)


def _cross_entropy(
    output: Tensor,
    target: Tensor,
    mask: Tensor | None,
    reduction: Reduction,
    ignore_index: int | None,
    smoothing: float,
) -> Tensor:
    if mask is None and ignore_index is None and len(output):
        return F.cross_entropy(output, target, reduction=reduction, label_smoothing=smoothing)
    ignored = -100 if ignore_index is None else ignore_index
    if mask is not None:
        target = target.masked_fill(~mask, ignored)
    loss = F.cross_entropy(output, target, reduction="sum", ignore_index=ignored, label_smoothing=smoothing)
    return loss / (target != ignored).sum().clamp(min=1) if reduction == "mean" else loss


def _elementwise(kind: str, output: Tensor, target: Tensor, mask: Tensor | None, reduction: Reduction) -> Tensor:
    if kind not in _ELEMENTWISE:
        raise ValueError(f"expected a loss among cross_entropy, {', '.join(_ELEMENTWISE)}, got {kind!r}")
    if output.shape != target.shape:
        raise ValueError(f"{kind}: expected a target of shape {tuple(output.shape)}, got {tuple(target.shape)}")
    function = _ELEMENTWISE[kind]
    if mask is None:
        return function(output, target, reduction=reduction if output.numel() else "sum")
    elements = function(output, target, reduction="none")
    known = mask.view(-1, *[1] * (elements.ndim - 1)).expand_as(elements)
    loss = elements.where(known, elements.new_zeros(())).sum()
    return loss / known.sum().clamp(min=1) if reduction == "mean" else loss
