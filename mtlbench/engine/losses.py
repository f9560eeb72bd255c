"""The task losses of a model, computed as the engine specifies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ..core.losses import LOSSES as TABLE
from ..core.task import Outline, TaskSpec
from ..ops import task_losses
from ..ops.eager_losses import per_task_losses
from .model import Model
from .table import Engine

Masks = list[Tensor | None] | None


class Kinds(NamedTuple):
    """Which losses the tasks have, by name, and the numbers that these compute with."""

    names: list[str]
    betas: list[float]

    @classmethod
    def of(cls, tasks: Sequence[TaskSpec]) -> Kinds:
        """The losses of these tasks."""
        return cls([task.loss for task in tasks], [task.loss_parameter for task in tasks])


def reference(outputs: list[Tensor], targets: list[Tensor], kinds: Kinds, masks: Masks) -> Tensor:
    """L [T] by plain PyTorch. Unknown labels are masked, so that no target means "no label"."""
    masks = _of_values(masks, targets, kinds)
    return per_task_losses(outputs, targets, kinds.names, masks=masks, betas=kinds.betas, ignore_index=None)


def kernel(outputs: list[Tensor], targets: list[Tensor], kinds: Kinds, masks: Masks) -> Tensor:
    """The same by the kernel of ``task_losses``."""
    masks = _of_values(masks, targets, kinds)
    return task_losses(outputs, targets, kinds.names, masks=masks, beta=kinds.betas, ignore_index=None)[1]


LOSSES = {"reference": reference, "kernel": kernel}


def losses_of_inputs(engine: Engine, model: Model, outline: Outline) -> Callable[..., Tensor]:
    """Inputs, targets and masks to L [T]."""
    function, kinds = LOSSES[engine.recipe.losses], Kinds.of(outline.tasks)

    def losses(inputs: Any, targets: list[Tensor], masks: Masks) -> Tensor:
        outputs = model(inputs)
        return function([outputs[name] for name in outline.names], targets, kinds, masks)

    return losses


def losses_of_representations(engine: Engine, model: Model, outline: Outline) -> Callable[..., Tensor]:
    """One representation per task, targets and masks to L [T]; representation t affects L_t only."""
    function, kinds = LOSSES[engine.recipe.losses], Kinds.of(outline.tasks)

    def losses(representations: list[Any], targets: list[Tensor], masks: Masks) -> Tensor:
        outputs = [model.predict_task(name, z) for name, z in zip(outline.names, representations, strict=True)]
        return function(outputs, targets, kinds, masks)

    return losses


def _of_values(masks: Masks, targets: list[Tensor], kinds: Kinds) -> Masks:
    """Masks of positions, [rows, *positions], as masks of values, [rows, values, *positions], where each value of a
    regression has a loss of its own.
    """
    if masks is None:
        return None
    return [
        mask
        if mask is None or mask.ndim in (1, target.ndim) or TABLE[kind].spans_classes
        else mask.unsqueeze(1).expand_as(target)
        for mask, target, kind in zip(masks, targets, kinds.names, strict=True)
    ]
