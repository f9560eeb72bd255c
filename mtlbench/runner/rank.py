"""One rank of a trial, as a process of its own: ``python -m mtlbench.runner.rank``, started by ``runner.ranks``.

Its standard input holds one line, the task in JSON, and ends when the process that watches it does.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from ..core.seeding import derive
from ..core.trial import TrainTrial
from ..engine.distributed import PeerLostError, World
from .agreement import Expected
from .checkpoints import Checkpoints
from .ranks import PEER_LOST, result_path, trunk_path
from .trial import execute


def main() -> int:
    """Take part in a trial; the exit code."""
    task: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    trial, folder = TrainTrial.from_json(task["trial"]), Path(task["folder"])
    threading.Thread(target=_end_with_the_watcher, args=[folder], daemon=True).start()
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    expected = task["expected"] and Expected(**{**task["expected"], "require": tuple(task["expected"]["require"])})
    checkpoints = Checkpoints(trunk_path(folder).read_bytes())
    world = World(rank, size, derive(trial.seed, "step", rank), str(folder / "store"))
    try:
        # One clock ends the trial: the first rank's.
        deadline_s = task["deadline_s"] if rank == 0 else None
        result = execute(
            trial, Path(task["root"]), task["attempt"], deadline_s, task["alone"], checkpoints, expected, world
        )
    except PeerLostError as error:
        print(error, file=sys.stderr)
        return PEER_LOST
    if rank == 0 and trial.labels.keeps_trunk:
        trunk_path(folder).write_bytes(checkpoints.outgoing)
    if rank == 0 or not result.ok:
        _write(result_path(folder, rank), json.dumps(result.to_json()))
    return 0 if result.ok else 1


def _end_with_the_watcher(folder: Path) -> None:
    """End as soon as the process that watches has, and remove the folder, which it then cannot."""
    while sys.stdin.buffer.read(1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(PEER_LOST)


def _write(path: Path, text: str) -> None:
    """The whole file or none of it."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # without waiting for threads of a communication that others may have left
