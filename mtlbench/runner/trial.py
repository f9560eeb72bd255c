"""The worker: one trial from its coordinates to its result, in this process."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from ..core.errors import UnavailableError
from ..core.parts import PARTS, Part, single
from ..core.record import Record, Result
from ..core.registry import look_beside
from ..core.statuses import CONTENDED, OK
from ..core.task import Data, Split
from ..core.trial import KernelTrial, Spec, TrainTrial, Trial
from ..engine.distributed import PeerLostError, World
from ..kernels import TABLE as KERNELS
from ..kernels.bench import Bench
from ..learners.base import Job, Learner
from ..measure.environment import environment
from ..measure.load import ForeignLoad
from ..measure.memory import PeakMemory
from ..plan.reading import tables
from ..problems.folds import fold
from ..suite.entries import Tables
from .agreement import Expected, check_code, check_data
from .checkpoints import Checkpoints
from .endings import one_line, status_of
from .ranks import in_ranks
from .stopping import Stop

_FIELDS = frozenset(field.name for field in fields(Job))
Facts = tuple[tuple[Record, ...], tuple[str, ...]]


def execute(
    trial: Trial,
    root: Path,
    attempt: int,
    deadline_s: float | None,
    alone: bool,
    checkpoints: Checkpoints | None = None,
    expected: Expected | None = None,
    world: World | None = None,
) -> Result:
    """Run a trial; whatever it raises becomes a result with the reason, an exit or interrupt of its own too. ``Stop``,
    by which a signal ends the run, passes.

    ``root`` is the folder of the suite file, ``deadline_s`` the seconds the trial may take, ``alone`` whether the
    scheduler gave it its CPUs or GPU to itself, ``checkpoints`` the trained trunks that come in and go out,
    ``expected`` what it was planned with; None compares nothing but the data. The process is left as it was found, so
    that many trials in one process give the same bits as one process each.

    A trial of several ``workers`` runs in processes of its own; this one is one of them where there is a ``world``.
    PeerLostError then passes: the process that was lost, or its end, says why.
    """
    if isinstance(trial, TrainTrial) and trial.workers > 1 and world is None:
        return in_ranks(trial, root, attempt, deadline_s, alone, checkpoints or Checkpoints(), expected)
    start, load = time.monotonic(), ForeignLoad()
    facts = {**environment(), "threads": trial.threads, "device": trial.device}
    deadline = float("inf") if deadline_s is None else start + deadline_s
    records: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()
    peak = PeakMemory(torch.device(trial.device if torch.cuda.is_available() else "cpu"))
    status, error, trace = OK, "", ""
    try:
        look_beside(root)
        others = check_code(expected) if expected else ()
        with _torch_set_for(trial):
            records, notes = _done(trial, root, deadline, checkpoints or Checkpoints(), world or World())
        notes = (*notes, *others)
    except (Stop, PeerLostError):
        raise
    except BaseException as failure:
        status, error, trace = status_of(failure), one_line(failure), traceback.format_exc()
    seconds, busy = time.monotonic() - start, load.noticeable()
    if not error:
        records = (*records, Record("total_seconds", seconds, unit="s", higher_is_better=False))
        status = CONTENDED if busy and trial.labels.exclusive else OK
    return Result(
        status=status,
        attempt=attempt,
        records=records,
        error=error,
        traceback=trace,
        seconds=seconds,
        shared=not alone or busy,
        alone=alone,
        notes=notes,
        environment=facts,
        peak_memory=peak.read() if error else 0,
    )


def _done(trial: Trial, root: Path, deadline: float, checkpoints: Checkpoints, world: World) -> Facts:
    """Records and notes of a trial of either kind that ends well."""
    if isinstance(trial, KernelTrial):
        return _time(trial, deadline)
    assert isinstance(trial, TrainTrial)
    with world.joined(trial.device):
        return _train(trial, root, deadline, checkpoints, world)


def _train(trial: TrainTrial, root: Path, deadline: float, checkpoints: Checkpoints, world: World) -> Facts:
    """Records and notes of a training that ends well."""
    device, rooms = _device(trial.device), tables()
    memory = PeakMemory(device)
    problem = rooms["problem"].build(trial.problem)
    check_data(trial, problem.files(root))
    data = problem.load(trial.seed, root)
    check_data(trial, problem.files(root))  # still, so that what was read is what was compared
    if trial.fold[1]:
        data = fold(data, *trial.fold, trial.seed)
    parts = {
        **{key: _built(rooms, part, trial.parts[part.coordinate]) for key, part in single() if part.coordinate},
        "engine": rooms["engine"].build({"name": trial.engine}) if trial.engine else None,
        "init_from": checkpoints.start(trial, root),
    }
    learner: Learner = parts.pop("learner")
    job = Job(
        data=data,
        tasks=trial.tasks,
        seed=trial.seed,
        device=device,
        deadline=deadline,
        keep=checkpoints.keep if trial.labels.keeps_trunk else None,
        world=world,
        others={key: value for key, value in parts.items() if key not in _FIELDS},
        **{key: value for key, value in parts.items() if key in _FIELDS},
    )
    records = learner.run(job)
    peak = Record("peak_memory", world.largest(memory.read()), unit="B", higher_is_better=False)
    return (*records, *_labels(data, trial.tasks), peak), data.outline.notes


def _built(rooms: Tables, part: Part, spec: Spec) -> Any:
    """What a trial's spec of a part describes; None where its learner does not use the part."""
    if part is PARTS["init_from"]:
        return None  # its spec names a trunk, which is among the checkpoints
    if part.settings is not None:
        return part.settings.from_plain(spec)
    return rooms[part.room].build(spec) if spec else None


def _labels(data: Data, tasks: tuple[str, ...]) -> Iterator[Record]:
    """On how many labels each task trains and its test metrics stand, and the mean and variance of single values of the
    test split, in the task's unit and its square: all that explained variance over several tasks asks of the labels. A
    stream is not counted.
    """
    labelled = data.outline.only(tasks).tasks
    for metric, split in (("train_rows", data.train), ("test_rows", data.test)):
        if isinstance(split, Split):
            yield from (Record(metric, float(len(_known(split, task.name))), task=task.name) for task in labelled)
    if not isinstance(data.test, Split):
        return
    for task in labelled:
        target = _known(data.test, task.name)
        if task.kind == "regression" and target.shape[1:] == (1,) and len(target):
            values = target.astype("float64") * task.scale + task.offset
            yield Record("test_mean", float(values.mean()), task=task.name)
            yield Record("test_variance", float(values.var()), task=task.name)


def _known(split: Split, task: str) -> Any:
    """The labels of a task that are known; of labels at positions, each position."""
    target, known = split.targets[task], split.masks.get(task)
    return target if known is None else target[known]


def _time(trial: KernelTrial, deadline: float) -> Facts:
    """Records and notes of a kernel trial that ends well."""
    timing = trial.kernel
    kernel, device = KERNELS.build(timing["case"]), _device(trial.device)
    bench = Bench(kernel, device, trial.seed, timing["rounds"], timing["seconds"], deadline)
    return bench.run(timing["contenders"])


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("expected a CUDA GPU that torch can use, got none; `mtlbench doctor` says why")
    return torch.device(name)


@contextmanager
def _torch_set_for(trial: Trial) -> Iterator[None]:
    """torch's process-wide settings for one trial, put back afterwards."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    fill = memory.fill_uninitialized_memory
    torch.set_num_threads(trial.threads)
    # On CUDA they are slower, and some do not exist; kernels compete as torch comes.
    torch.use_deterministic_algorithms(trial.device == "cpu" and trial.kind == "train")
    memory.fill_uninitialized_memory = False  # nothing here reads memory before writing it
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        memory.fill_uninitialized_memory = fill
        if "torch._dynamo" in sys.modules:
            torch.compiler.reset()  # compiled code of past trials counts against torch's limit of recompilations
