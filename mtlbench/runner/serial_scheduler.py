"""One trial after another in this process: for debugging, and for machines where Ray cannot run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..core.trial import Trial
from .checkpoints import Checkpoints
from .events import Event, ExpectedOf, Finished, Started, TrunkOf
from .stopping import ctrl_c_told_apart
from .trial import execute


def run_serially(
    trials: Sequence[Trial], root: Path, attempts: Mapping[str, int], trunk_of: TrunkOf, expected_of: ExpectedOf
) -> Iterator[Event]:
    """Run trials in order. ``attempts`` counts the attempts made before, by trial id; ``trunk_of`` is what each starts
    from, ``expected_of`` what it was planned with.
    """
    for trial in trials:
        yield Started(trial)
        checkpoints = Checkpoints(trunk_of(trial))
        timeout = trial.labels.resources.get("timeout")
        attempt, expected = attempts.get(trial.id, 0) + 1, expected_of(trial)
        with ctrl_c_told_apart():
            result = execute(trial, root, attempt, timeout, alone=True, checkpoints=checkpoints, expected=expected)
        yield Finished(trial, result, trunk=checkpoints.outgoing)
