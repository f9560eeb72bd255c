"""Whether a worker has the code, the data and the versions that its trial was planned with."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.digests import joint_digest
from ..core.errors import MtlbenchError
from ..core.sources import KERNELS, Manifest, here, told
from ..core.trial import TrainTrial
from ..core.wording import listing
from ..measure.environment import versions

_MEND = "run the suite again, which makes a new plan; on a cluster, give every node the same copy"


class DisagreementError(MtlbenchError):
    """A worker has something else than the plan was made with, so that its numbers would go by a wrong name."""


@dataclass(frozen=True)
class Expected:
    """What the plan was made with.

    sources   the manifest of the code behind the trial
    versions  of Python, packages and compiled kernels
    require   those that have to be the same; another version of the others is noted
    """

    sources: Manifest
    versions: Mapping[str, str]
    require: tuple[str, ...] = ()


def check_code(expected: Expected) -> tuple[str, ...]:
    """Notes on other versions than those of the plan. Raises DisagreementError for other code, or for another version
    of what is required.
    """
    # The kernels are built for each machine, so that their content is a version.
    planned = {name: content for name, content in expected.sources.items() if name != KERNELS}
    if differing := told(planned, {name: here(name) for name in planned}):
        raise DisagreementError(
            f"expected the code that the trial was planned with, got other code on {platform.node()}: "
            f"{listing(differing)}; {_MEND}"
        )
    found = versions()
    notes = {name: f"{name} {found.get(name) or 'none'} on {platform.node()}, {planned or 'none'} where it was planned"
             for name, planned in expected.versions.items() if found.get(name, "") != planned}  # fmt: skip
    if refused := [note for name, note in notes.items() if name in expected.require]:
        raise DisagreementError(f"expected the same versions of what the suite requires, got {listing(refused)}")
    return tuple(notes.values())


def check_data(trial: TrainTrial, files: Iterable[Path]) -> None:
    """Raises DisagreementError where a problem's files are not those that the trial is identified by."""
    paths = tuple(files)
    if joint_digest(paths) != trial.data:
        names = listing(str(path) for path in paths) or "no file"
        where = f"got other content on {platform.node()}: {names}"
        raise DisagreementError(f"expected the data that the trial was planned with, {where}; {_MEND}")
