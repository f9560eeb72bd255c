"""Whether a training had come to its end when it ended, by its validation losses: the rule, and all its constants.

A trial is undertrained where one of its caps (epochs, or steps) ended it, and by then

- with early stopping or ``until: plateau``: the best epoch was fewer than ``patience`` epochs (or ``patience_steps``
  steps) ago, so that the trial's own rule would have gone on;
- without: the best score of the last tenth of its epochs (TAIL) was better by 1 % (STILL) than any before. By chance
  alone the best of all epochs lies there in a tenth of all trials, but seldom by so much.

It may explain a result where it happened to more than a twentieth (SPARED) of the trials that the result stands on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, inf, isfinite
from typing import Any, NamedTuple

from .score import Fact, relative_score
from .settings import Train

TAIL = 0.1
STILL = 0.01
SPARED = 0.05
_BEFORE = "pretrain_"  # what is said of training on other tasks beforehand, which is part of the trial
TOTALS = ("epochs", "steps", *(_BEFORE + what for what in ("epochs", "steps", "undertrained")))


class Ending(NamedTuple):
    """How a training ended: epochs and steps trained (those of pre-training included), the epoch whose weights were
    kept, and whether it was undertrained (None where no validation loss can say).
    """

    epochs: int
    steps: int
    kept: int
    undertrained: bool | None


def ending(train: Mapping[str, Any], facts: Iterable[Fact]) -> Ending | None:
    """How the training with these settings and facts ended; None for a learner that has no epochs."""
    totals: dict[str, float] = {}
    losses: dict[int, dict[str, float]] = {}
    kept = 0
    for fact in facts:
        if fact.metric == "loss" and fact.split == "validation":
            losses.setdefault(fact.step, {})[fact.task] = fact.value
        elif fact.metric == "loss" and fact.split == "test":
            kept = fact.step
        elif fact.metric in TOTALS and not fact.split:
            totals[fact.metric] = fact.value
    if not train or "epochs" not in totals:
        return None
    epochs, steps = int(totals["epochs"]), int(totals.get("steps", 0))
    scores = [relative_score(losses.get(epoch, {}), losses.get(0, {})) for epoch in range(epochs + 1)]
    cut = undertrained(Train.of_trial(train), steps, scores)
    earlier = {what: int(totals.get(_BEFORE + what, 0)) for what in ("epochs", "steps", "undertrained")}
    if earlier["undertrained"]:
        cut = True
    return Ending(epochs + earlier["epochs"], steps + earlier["steps"], kept, cut)


def undertrained(train: Train, steps: int, scores: Sequence[float]) -> bool | None:
    """The rule; ``scores`` are those of epochs 0 (before training), 1, …, E."""
    epochs = len(scores) - 1
    if not any(map(isfinite, scores[1:])):
        return None
    return train.capped(epochs, steps) and _still_improving(train, steps, scores)


def _still_improving(train: Train, steps: int, scores: Sequence[float]) -> bool:
    epochs, stopping = len(scores) - 1, train.stopping
    if stopping is None:
        short = int(train.steps is not None)  # the last epoch may be a part of one
        tail = min(ceil(TAIL * epochs) + short, epochs)
        before = min(scores[:-tail])
        return min(scores[-tail:]) < before - STILL * abs(before)
    best, last = inf, 0
    for epoch, score in enumerate(scores[1:], start=1):
        if stopping.improves(score, best):
            best, last = score, epoch
    # Epochs have equally many steps, but for the last one under a budget of steps: at most one epoch's steps too many.
    return not stopping.over(epochs - last, (epochs - last) * steps / epochs)
