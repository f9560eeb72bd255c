"""A trial in several processes of one machine, its ranks: started, watched and, whatever happens, ended here.

The scheduler hands out one task that holds the CPUs and GPUs of all ranks. Such a task has them on one node, which is
all that a placement group with STRICT_PACK would give; that it is one task leaves retries, timeouts and the serial
executor as they are. It computes nothing itself, so that a rank that is killed, or whose communication hangs, takes
nothing with it.

Ranks meet by a file in a folder of their own and talk over the loopback interface: gloo on CPUs, nccl on GPUs, rank r
on the r-th GPU that is visible. Each ends by itself as soon as this process does, since its standard input then ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from ..core.record import Record, Result
from ..core.statuses import CONTENDED, FAILED, LOST, OK, TIMEOUT
from ..core.trial import TrainTrial
from ..measure.load import ForeignLoad
from .agreement import Expected
from .checkpoints import Checkpoints

PEER_LOST = 75  # exit code of a rank that ended because another one had
LATE = 10.0  # seconds past the timeout, within which the first rank should have noticed it
_GRACE = 2.0  # seconds in which a rank may still say why it ended, after another one has
_PAUSE = 0.05


@dataclass
class Rank:
    """One process of a trial. ``folder`` is where it leaves its result."""

    number: int
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def result(self) -> Result | None:
        """What it left, if it came so far."""
        try:
            return Result.from_json(json.loads(result_path(self.folder, self.number).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    @property
    def ended_badly(self) -> bool:
        """Whether it has ended otherwise than it should."""
        return bool(self.process.poll())

    @property
    def cause(self) -> bool:
        """Whether it may be why others ended, not only a consequence."""
        return self.ended_badly and self.process.returncode != PEER_LOST


def result_path(folder: Path, rank: int) -> Path:
    """Where a rank leaves its result."""
    return folder / f"rank{rank}.json"


def trunk_path(folder: Path) -> Path:
    """Where the first rank leaves a trained trunk, and where all find the one that they start from."""
    return folder / "trunk"


def in_ranks(
    trial: TrainTrial,
    root: Path,
    attempt: int,
    deadline_s: float | None,
    alone: bool,
    checkpoints: Checkpoints,
    expected: Expected | None,
) -> Result:
    """The result of the first rank or, where one ended badly, why; see ``runner.trial.execute`` for the arguments."""
    start, load = time.monotonic(), ForeignLoad()
    try:
        result = _run(trial, root, attempt, deadline_s, alone, checkpoints, expected)
    except OSError as error:
        result = Result(FAILED, error=f"cannot start {trial.workers} processes for the trial: {error}")
    seconds = time.monotonic() - start
    whole = Record("total_seconds", seconds, unit="s", higher_is_better=False)
    records = tuple(whole if record.metric == whole.metric else record for record in result.records)
    busy = load.noticeable()  # which each rank takes the others for
    status = (CONTENDED if busy and trial.labels.exclusive else OK) if result.ok else result.status
    return replace(
        result,
        status=status,
        attempt=attempt,
        records=records,
        seconds=seconds,
        alone=alone,
        shared=not alone or busy,
    )


def _run(
    trial: TrainTrial,
    root: Path,
    attempt: int,
    deadline_s: float | None,
    alone: bool,
    checkpoints: Checkpoints,
    expected: Expected | None,
) -> Result:
    latest = None if deadline_s is None else time.monotonic() + deadline_s + LATE
    with tempfile.TemporaryDirectory(prefix="mtlbench-") as name:
        folder = Path(name)
        trunk_path(folder).write_bytes(checkpoints.incoming)
        task = {
            "trial": trial.to_json(),
            "root": str(root),
            "attempt": attempt,
            "deadline_s": deadline_s,
            "alone": alone,
            "expected": asdict(expected) if expected else None,
            "folder": name,
        }
        with _started(trial.workers, task, folder) as ranks:
            result = _watched(ranks, latest)
        if result.ok and trial.labels.keeps_trunk:
            checkpoints.outgoing = trunk_path(folder).read_bytes()
    return result


@contextlib.contextmanager
def _started(count: int, task: dict[str, object], folder: Path) -> Iterator[list[Rank]]:
    """The ranks of a trial, none of which is left afterwards."""
    ranks: list[Rank] = []
    loopback = _loopback()
    common = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path or os.getcwd() for path in sys.path)),
        "WORLD_SIZE": str(count),
        **({"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback} if loopback else {}),
    }
    try:
        for number in range(count):
            environment = {**common, "RANK": str(number), "LOCAL_RANK": str(number)}
            with (folder / f"rank{number}.log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "mtlbench.runner.rank"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,  # Ctrl-C is for the process that watches
                )
            ranks.append(Rank(number, process, folder))
        for rank in ranks:
            assert rank.process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it has ended, which is seen below
                rank.process.stdin.write(json.dumps(task).encode() + b"\n")
                rank.process.stdin.flush()
        yield ranks
    finally:
        for rank in ranks:
            rank.process.kill()
        for rank in ranks:
            rank.process.wait()
            if rank.process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    rank.process.stdin.close()


def _loopback() -> str:
    """The name of the interface that this machine reaches itself by; "" where it has none of a known kind."""
    addresses = psutil.net_if_addrs().items()
    return next((name for name, listed in addresses if any(a.address == "127.0.0.1" for a in listed)), "")


def _watched(ranks: Sequence[Rank], latest: float | None) -> Result:
    """How the ranks end: as the first one says, or as the one does whose end was no consequence of another's."""
    ended = None
    while any(rank.process.poll() is None for rank in ranks):
        now = time.monotonic()
        if any(rank.ended_badly for rank in ranks):
            ended = ended or now
            if any(rank.cause for rank in ranks) or now > ended + _GRACE:
                break
        if latest is not None and now > latest:
            return Result(TIMEOUT, error="timed out: its processes no longer answered; raise resources.timeout")
        time.sleep(_PAUSE)
    if not any(rank.ended_badly for rank in ranks):
        return ranks[0].result or _without_result(ranks[0], len(ranks))
    culprit = next((rank for rank in ranks if rank.cause), None) or next(rank for rank in ranks if rank.ended_badly)
    return culprit.result or _without_result(culprit, len(ranks))


def _without_result(rank: Rank, count: int) -> Result:
    """The result of a trial of which a rank ended without a word."""
    code = rank.process.returncode
    said = (rank.folder / f"rank{rank.number}.log").read_text(encoding="utf-8", errors="replace").strip()
    how = f"with exit code {code}" if code >= 0 else f"by {_signal(-code)}"
    last = f": {said.splitlines()[-1]}" if said else ""
    hint = ", as where memory runs out" if code == -signal.SIGKILL else ""
    who = f"process {rank.number + 1} of {count} of the trial"
    return Result(LOST if code < 0 else FAILED, error=f"{who} ended {how}{hint}{last}", traceback=said)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
