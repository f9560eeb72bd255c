"""Why a training cannot go on: the first number that was not finite, where it came from, and what may mend it."""

from __future__ import annotations

from math import isfinite

from ...core.errors import Diverged
from ..base import Job
from .trace import Epoch

DATA = "look for extreme values in the inputs and targets"


def check_validation(job: Job, task: str, loss: float, epoch: int) -> None:
    """Raise Diverged for a validation loss that is not finite. Before the first epoch no learning rate had a say."""
    if not isfinite(loss):
        found = f"task '{task}': expected a finite validation loss, got {loss}"
        if not epoch:
            raise Diverged(f"{found} before the first step; {DATA} of the validation split, or at the task's loss")
        raise Diverged(f"{found} in epoch {epoch}; {_rate(job)}, or {DATA}")


def check_epoch(job: Job, epoch: Epoch, number: int) -> None:
    """Raise Diverged for the first loss or task weight of an epoch that was not finite."""
    losses = {name: step for name, step in zip(job.tasks, epoch.lossless, strict=True) if step}
    weights = {name: step for name, step in zip(job.tasks, epoch.weightless, strict=True) if step}
    first = min([*losses.values(), *weights.values()], default=0)
    if first in losses.values():
        task = next(name for name, step in losses.items() if step == first)
        found = f"task '{task}': expected a finite training loss, got none in epoch {number}, step {first}"
        if number == first == 1:
            raise Diverged(f"{found}, before anything was learned; {DATA} of the training split, or at the task's loss")
        raise Diverged(f"{found}; {_rate(job)}, or {DATA}")
    if weights:
        task = next(name for name, step in weights.items() if step == first)
        raise Diverged(
            f"weighting '{_name(job)}': expected a finite weight of task '{task}', got none in epoch {number}, step "
            f"{first}, from finite losses; look for losses or gradients that are extremely small or large (the tasks' "
            "scales, constant targets), or choose a weighting that does not divide by them"
        )


def _rate(job: Job) -> str:
    return f"lower the optimizer's lr (now {job.optimizer.lr:g})"


def _name(job: Job) -> str:
    from ...weightings import TABLE

    return TABLE.name_of(type(job.weighting))
