"""What of a suite several processes cannot share (``resources.workers``, ``resources.gpus`` above 1)."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.errors import either
from ..engine.table import TABLE as ENGINES
from ..suite.suite import Variant
from ..suite.tree import Place
from ..suite.uses import uses
from ..weightings.base import Need


def indivisible(variant: Variant) -> Iterator[tuple[Place, str]]:
    """Why the processes of a method's trials cannot take its steps together; nothing where there is one."""
    count = variant.resources.config.processes if variant.resources.config else 1
    if count == 1:
        return
    one = f"set resources: {{{'gpus' if variant.device == 'cuda' else 'workers'}: 1}} for it"
    learner, optimizer, weighting = (variant[key] for key in ("learner", "optimizer", "weighting"))
    if learner.config and not uses(learner, "engines"):
        yield learner.node.place, f"learner '{learner.name}' has no steps that {count} processes could share: {one}"
        return
    for engine in variant.engines:
        if engine.config and not engine.config.divisible:
            able = either(name for name in ENGINES if ENGINES.build({"name": name}).divisible)
            yield engine.node.place, f"engine '{engine.name}' cannot share steps among {count} processes: use {able}"
    if optimizer.config and not optimizer.config.divisible:
        message = f"optimizer '{optimizer.name}' evaluates the objective within a step, which {count} processes cannot"
        yield optimizer.node.place, f"{message} share: {one}, or choose a first-order optimizer"
    if weighting.config and weighting.config.at_representation and Need.JACOBIAN in weighting.config.needs:
        message = f"weighting '{weighting.name}' looks at the gradient of every row at once, and {count} processes have"
        yield weighting.node.place, f"{message} some of the rows each: use level: parameters, or {one}"
    rows = variant["train"].checked.batch_size if variant["train"].config else count
    if rows < count and not (optimizer.config and optimizer.config.whole_split):
        place = variant["train"].node
        yield (
            place["batch_size"].place if "batch_size" in place else place.place,
            f"train.batch_size: expected a row or more for each of {count} processes, got {rows}: raise it",
        )
