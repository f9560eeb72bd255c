"""Who computes the task losses, and the masks as they want them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from ..ops import per_task_losses, task_losses
from ..ops.eager_losses import SPANS_CLASSES

Masks = list[Tensor | None] | None


def _with_masks_of_positions(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """To the losses each value at a position is one of its own, so that a regression's mask takes its values' shape."""

    def losses(outputs: list[Tensor], targets: list[Tensor], kinds: list[str], masks: Masks) -> Tensor:
        if masks is not None:
            masks = [_of_values(*task) for task in zip(masks, targets, kinds, strict=True)]
        return function(outputs, targets, kinds, masks=masks)

    return losses


def _of_values(mask: Tensor | None, target: Tensor, kind: str) -> Tensor | None:
    """[rows, *positions] as [rows, values, *positions] where each value has a loss of its own."""
    if mask is None or mask.ndim == 1 or mask.ndim == target.ndim or kind in SPANS_CLASSES:
        return mask
    return mask.unsqueeze(1).expand_as(target)


# Outputs, targets, kinds and masks to losses [T]. Unknown labels are masked, so that no target means "no label".
LOSSES = {
    "reference": _with_masks_of_positions(partial(per_task_losses, ignore_index=None)),
    "kernel": _with_masks_of_positions(lambda *args, **options: task_losses(*args, ignore_index=None, **options)[1]),
}
