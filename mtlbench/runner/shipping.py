"""The files of a suite as they travel to machines that may lack them: one folder, which Ray sends by content.

Ray packs a folder under the digest of its content, keeps the package in the cluster, and unpacks it once on each node
however many trials run there; the same files are not sent again. The folder has the suite, its data, the trunks that it
starts from and the user's own modules in its folder, laid out as they lie here, so that relative paths lead to the same
content.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UnavailableError
from ..core.wording import listing
from ..plan.plan import Plan
from ..plan.provenance import strings
from ..problems.base import Problem

MOST_BYTES = 400 * 1024**2  # Ray keeps packages in the memory of its head, and refuses one above 500 MiB
RESULTS = "results"  # what is finished already, in a shipment
_MOST_NAMED = 4


@dataclass(frozen=True)
class Shipment:
    """What is sent.

    folder  a copy of the files, on this machine
    root    the suite's folder below it
    suite   the suite's file below it
    """

    folder: Path
    root: Path
    suite: Path


def travels(address: str | None, ship: bool | None) -> bool:
    """Whether a suite's files are sent to where its trials run: as ``ship`` says or, where it is None, if ``address``
    is not this machine.
    """
    return ship if ship is not None else address not in (None, "auto", "local") and not _is_here(str(address))


def _is_here(address: str) -> bool:
    """Whether an address, ``10.0.0.1:6379``, is one that this machine can listen at."""
    host, colon, _ = address.rpartition("://")[2].rpartition(":")
    try:
        family, kind, _, _, place = socket.getaddrinfo(host if colon else address, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as tried:
            tried.bind(place)
    except OSError:
        return False
    return True


def within_job(root: Path) -> Path:
    """The suite's folder as every worker finds it, where this process is itself a job of Ray that was sent with its
    files: relative to the folder that each of them runs in. As it is, elsewhere.
    """
    sent = "working_dir" in os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "")
    return root.relative_to(Path.cwd()) if sent and root.is_relative_to(Path.cwd()) else root


@contextlib.contextmanager
def shipment(plan: Plan, results: bool = False) -> Iterator[Shipment]:
    """The files of a plan's suite, and with ``results`` what is finished of it, in a folder of their own, for as long
    as it lasts.

    Raises UnavailableError where they are too large to be sent, or lie where no relative path leads.
    """
    suite = plan.root / plan.suite.path.name
    files = tuple(dict.fromkeys((suite, *_files(plan))))
    _check(plan, files)
    common = Path(os.path.commonpath([plan.root, *(file.parent for file in files)]))
    with tempfile.TemporaryDirectory(prefix="mtlbench-") as scratch:
        folder = Path(scratch)
        for file in files:
            target = folder / file.relative_to(common)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        for part in ("trials", "sources", "checkpoints") if results else ():
            if (plan.store.folder / part).is_dir():
                shutil.copytree(plan.store.folder / part, folder / RESULTS / part)
        yield Shipment(folder, plan.root.relative_to(common), suite.relative_to(common))


def _files(plan: Plan) -> Iterator[Path]:
    """Absolute paths, with no step up within them: data, trunks, and the modules beside the suite."""
    root = plan.root
    for problem in plan.suite.problems:
        if isinstance(problem.config, Problem):
            yield from (_absolute(path) for path in problem.config.files(root))
    for variant in (alternative for each in plan.suite.trained for alternative in each.alternatives):
        if variant.start.file is not None:
            yield _absolute(root / variant.start.file)
    names = (name for manifest in plan.manifests.values() for name in manifest if name.endswith(".py"))
    yield from (root / name for name in names if (root / name).is_file())


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _check(plan: Plan, files: Iterable[Path]) -> None:
    written = [word for problem in plan.suite.problems for word in strings(problem.spec)]
    if fixed := [
        word for word in written if Path(word).expanduser().is_absolute() and Path(word).expanduser().exists()
    ]:
        raise UnavailableError(
            f"expected paths relative to the suite for files that are sent to other machines, got "
            f"{listing(fixed, _MOST_NAMED)}; write them relative to {plan.root}, or use --no-ship where every node "
            "has them"
        )
    sizes = {file: file.stat().st_size for file in files}
    if sum(sizes.values()) > MOST_BYTES:
        largest = sorted(sizes, key=lambda file: -sizes[file])[:_MOST_NAMED]
        named = listing([f"{file} ({sizes[file] / 1024**2:,.0f} MiB)" for file in largest])
        raise UnavailableError(
            f"expected at most {MOST_BYTES / 1024**2:.0f} MiB to send to other machines, got "
            f"{sum(sizes.values()) / 1024**2:,.0f} MiB: {named}; put the suite's folder where every node sees it under "
            "the same path, and use --no-ship"
        )
