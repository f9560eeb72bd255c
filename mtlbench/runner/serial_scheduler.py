"""One trial after another in this process: for debugging, and for machines where Ray cannot run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..core.trial import Trial
from .checkpoints import Trunks
from .events import Event, Finished, Given, Started
from .trial import execute


def run_serially(trials: Sequence[Trial], root: Path, attempts: Mapping[str, int], given: Given) -> Iterator[Event]:
    """Run trials in order. ``attempts`` counts the attempts made before, by trial id; ``given`` is what each starts
    from.
    """
    for trial in trials:
        yield Started(trial)
        trunks = Trunks(given(trial))
        timeout = trial.resources.get("timeout")
        result = execute(trial, root, attempts.get(trial.id, 0) + 1, timeout, alone=True, trunks=trunks)
        yield Finished(trial, result, trunk=trunks.kept)
