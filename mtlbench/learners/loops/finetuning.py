"""Pre-training, and fine-tuning of the trunk that it trained."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...core.convergence import ending
from ...core.record import Record
from ...core.seeding import derive
from ...engine.model import Model
from ..base import Job, Start
from .training import Training


def transfer(job: Job, pretrain: tuple[str, ...], epochs: int | None, freeze: bool) -> list[Record]:
    """Train on the tasks of ``pretrain``, then fine-tune that trunk on the job's tasks; the records of fine-tuning."""
    train = job.train.model_copy(update={"epochs": epochs})
    devices = [job.device] if job.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive(job.seed, "step"))
        before = Training(replace(job, tasks=pretrain, train=train))
        fresh = Model(job.architecture, job.data.outline.only(job.tasks), job.seed)
        fresh.start_from(before.model.trunk(), freeze)  # raises before any training if the trunks do not match
        before.fit()
        torch.manual_seed(derive(job.seed, "step"))  # dropout as in training from scratch
        records = Training(replace(job, init_from=Start(before.model.trunk(), freeze))).run()
    return [_of_both(record, before.seconds) for record in records] + [
        Record("pretrain_seconds", before.seconds, unit="s", higher_is_better=False),
        Record("pretrain_epochs", len(before.epochs)),
        Record("pretrain_steps", before.steps),
        *_cut_short(before),
    ]


def _cut_short(before: Training) -> list[Record]:
    """Whether pre-training was undertrained: its validation losses, which tell, are no records of the trial."""
    totals = [Record("epochs", len(before.epochs)), Record("steps", before.steps)]
    ended = ending(before.job.train.model_dump(mode="json"), [*before.records, *totals])
    cut = ended.undertrained if ended else None
    return [] if cut is None else [Record("pretrain_undertrained", float(cut))]


def _of_both(record: Record, seconds: float) -> Record:
    """The record, with the time of pre-training added to that of training: the result cost both."""
    return replace(record, value=record.value + seconds) if record.metric == "train_seconds" else record
