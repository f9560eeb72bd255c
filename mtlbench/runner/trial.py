"""The worker: one trial from its coordinates to its result, in this process."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..architectures import TABLE as ARCHITECTURES
from ..core.errors import MtlbenchError, UnavailableError
from ..core.record import Record, Result
from ..core.registry import Registry, look_beside
from ..core.settings import Train
from ..core.task import Data, Split
from ..core.trial import Spec, Trial
from ..engine import TABLE as ENGINES
from ..kernels import TABLE as KERNELS
from ..kernels.bench import Bench
from ..learners import TABLE as LEARNERS
from ..learners.base import Job
from ..measure.environment import environment
from ..measure.load import ForeignLoad
from ..measure.memory import PeakMemory
from ..optim import OPTIMIZERS, SCHEDULES
from ..penalties import TABLE as PENALTIES
from ..problems import TABLE as PROBLEMS
from ..problems.folds import fold
from ..weightings import TABLE as WEIGHTINGS
from .checkpoints import Trunks

Facts = tuple[tuple[Record, ...], tuple[str, ...]]


def execute(
    trial: Trial, root: Path, attempt: int, deadline_s: float | None, alone: bool, trunks: Trunks | None = None
) -> Result:
    """Run a trial; whatever it raises becomes a failed result (but for an interrupt, which passes).

    ``root`` is the folder of the suite file, ``deadline_s`` the seconds the trial may take, ``alone`` whether the
    scheduler gave it its CPUs or GPU to itself, ``trunks`` the trained trunks that come in and go out. The process is
    left as it was found, so that many trials in one process give the same bits as one process each.
    """
    start, load = time.monotonic(), ForeignLoad()
    facts = {**environment(), "threads": trial.threads, "device": trial.device}
    deadline = float("inf") if deadline_s is None else start + deadline_s
    records: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()
    error = trace = ""
    try:
        with _torch_set_for(trial):
            records, notes = _RUNS[trial.kind](trial, root, deadline, trunks or Trunks())
    except Exception as failure:
        error, trace = _one_line(failure), traceback.format_exc()
    seconds = time.monotonic() - start
    if not error:
        records = (*records, Record("total_seconds", seconds, unit="s", higher_is_better=False))
    return Result(
        status="failed" if error else "ok",
        attempt=attempt,
        records=records,
        error=error,
        traceback=trace,
        seconds=seconds,
        shared=not alone or load.noticeable(),
        alone=alone,
        notes=notes,
        environment=facts,
    )


def _one_line(failure: Exception) -> str:
    """The reason for a table; the user's own mistakes need no class name."""
    text = " ".join(str(failure).split()) or "no message"
    return text if isinstance(failure, MtlbenchError) else f"{type(failure).__name__}: {text}"


def _train(trial: Trial, root: Path, deadline: float, trunks: Trunks) -> Facts:
    """Records and notes of a training that ends well."""
    look_beside(root)
    device = _device(trial.device)
    memory = PeakMemory(device)
    data = PROBLEMS.build(trial.problem).load(trial.seed, root)
    if trial.fold[1]:
        data = fold(data, *trial.fold, trial.seed)
    job = Job(
        data=data,
        tasks=trial.tasks,
        architecture=_built(ARCHITECTURES, trial.architecture),
        weighting=_built(WEIGHTINGS, trial.weighting),
        engine=_built(ENGINES, {"name": trial.engine} if trial.engine else {}),
        optimizer=_built(OPTIMIZERS, trial.optimizer),
        schedule=_built(SCHEDULES, trial.schedule),
        penalty=_built(PENALTIES, trial.penalty),
        train=Train.from_plain(trial.train),
        seed=trial.seed,
        device=device,
        deadline=deadline,
        init_from=trunks.start(trial, root),
        keep=trunks.keep if trial.keeps_trunk else None,
    )
    records = LEARNERS.build(trial.learner).run(job)
    peak = Record("peak_memory", memory.read(), unit="B", higher_is_better=False)
    return (*records, *_test_rows(data, trial.tasks), peak), data.outline.notes


def _built(table: Registry, spec: Spec) -> Any:
    """The entry that a trial names; None where its learner uses none."""
    return table.build(spec) if spec else None


def _test_rows(data: Data, tasks: tuple[str, ...]) -> Iterator[Record]:
    """On how many labels each task's test metrics stand; a stream is not counted."""
    if isinstance(data.test, Split):
        for task in tasks:
            labels = data.test.masks[task].sum() if task in data.test.masks else len(data.test.targets[task])
            yield Record("test_rows", float(labels), task=task)


def _time(trial: Trial, root: Path, deadline: float, trunks: Trunks) -> Facts:
    """Records and notes of a kernel trial that ends well."""
    look_beside(root)
    timing = trial.kernel
    kernel, device = KERNELS.build(timing["case"]), _device(trial.device)
    bench = Bench(kernel, device, trial.seed, timing["rounds"], timing["seconds"], deadline)
    return bench.run(timing["contenders"])


_RUNS = {"train": _train, "kernel": _time}


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
