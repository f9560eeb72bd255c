"""The task losses as plain PyTorch computes them: one call of torch.nn.functional per task.

Baseline engines train with them, evaluation reports them, and they are the reference of the kernels of task_losses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.losses import LOSSES

Reduction = Literal["mean", "sum"]

_NO_LABEL = -100  # marks masked labels where no ignore_index is in use


def per_task_losses(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    kinds: Sequence[str],
    *,
    reduction: Reduction = "mean",
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    masks: Sequence[Tensor | None] | None = None,
    betas: Sequence[float] = (1.0,),
) -> Tensor:
    """The task losses L [T] of ``mtlbench.ops.task_losses``, which describes the arguments, in the outputs' dtype.

    Shapes and names are not checked here; ``task_losses`` does that.
    """
    losses = []
    for t, (x, y, kind) in enumerate(zip(outputs, targets, kinds, strict=True)):
        mask = masks[t] if masks else None
        if kind == "cross_entropy" and not y.is_floating_point():
            losses.append(_cross_entropy(x, y, mask, reduction, ignore_index, label_smoothing))
            continue
        beta = betas[t if len(betas) > 1 else 0]
        losses.append(_of_values(REFERENCES[kind], kind, x, y.to(x.dtype), mask, reduction, beta, label_smoothing))
    double = any(loss.dtype == torch.float64 for loss in losses)
    return torch.stack([loss.double() for loss in losses] if double else losses)


def spread(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """Broadcast a mask of the leading dimensions to all dimensions."""
    return mask.reshape([*mask.shape, *[1] * (len(shape) - mask.ndim)]).expand(shape)


def _cross_entropy(
    x: Tensor, y: Tensor, mask: Tensor | None, reduction: Reduction, ignore_index: int | None, smoothing: float
) -> Tensor:
    if mask is None and ignore_index is None and y.numel():
        return F.cross_entropy(x, y, reduction=reduction, label_smoothing=smoothing)
    ignored = _NO_LABEL if ignore_index is None else ignore_index
    if mask is not None:
        labelled = spread(mask, y.shape)
        x, y = x.where(labelled.unsqueeze(1), 0), y.masked_fill(~labelled, ignored)
    loss = F.cross_entropy(x, y, reduction="sum", ignore_index=ignored, label_smoothing=smoothing)
    return loss / (y != ignored).sum().clamp(min=1) if reduction == "mean" else loss


def _of_values(
    function: Callable[..., Tensor],
    kind: str,
    x: Tensor,
    y: Tensor,
    mask: Tensor | None,
    reduction: Reduction,
    beta: float,
    smoothing: float,
) -> Tensor:
    """The losses whose targets are numbers; outputs at masked positions are replaced before anything is computed."""
    if mask is None:
        return function(x, y, beta, smoothing, reduction if x.numel() else "sum")
    spans = LOSSES[kind].spans_classes
    labelled = spread(mask, x.shape[:1] + x.shape[2:] if spans else x.shape)
    x = x.where(labelled.unsqueeze(1) if spans else labelled, 0)
    loss = function(x, y, beta, smoothing, "none").where(labelled, 0).sum()
    return loss / labelled.sum().clamp(min=1) if reduction == "mean" else loss


def _reduced(values: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()


def _of_probabilities(x: Tensor, y: Tensor, beta: float, smoothing: float, reduction: str) -> Tensor:
    smoothed = (1 - smoothing) * y + smoothing / x.shape[1]
    return _reduced(-(smoothed * x.log_softmax(1)).sum(1), reduction)


# The loss of outputs x and targets y, given its parameter, label smoothing and the reduction ("none" keeps all
# positions): one row for each loss of mtlbench.core.losses. The kernels are tested against these.
REFERENCES: dict[str, Callable[[Tensor, Tensor, float, float, str], Tensor]] = {
    "cross_entropy": _of_probabilities,
    "bce_with_logits": lambda x, y, beta, _, how: F.binary_cross_entropy_with_logits(x, y, reduction=how),
    "mse": lambda x, y, beta, _, how: F.mse_loss(x, y, reduction=how),
    "l1": lambda x, y, beta, _, how: F.l1_loss(x, y, reduction=how),
    "smooth_l1": lambda x, y, beta, _, how: F.smooth_l1_loss(x, y, reduction=how, beta=beta),
    "huber": lambda x, y, beta, _, how: F.huber_loss(x, y, reduction=how, delta=beta),
    "cosine": lambda x, y, beta, _, how: _reduced(1 - F.cosine_similarity(x, y, dim=1), how),
}
