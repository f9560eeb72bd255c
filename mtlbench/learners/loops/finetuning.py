"""Pre-training, and training that starts from what it learned."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...core.record import Record
from ...core.seeding import derive
from ...engine.model import Model
from ..base import Job, Start
from .training import Training


def transfer(job: Job, pretrain: tuple[str, ...], epochs: int, freeze: bool) -> list[Record]:
    """Train on the tasks of ``pretrain``, then on the job's own from that trunk; the records of the latter."""
    train = job.train.model_copy(update={"epochs": epochs})
    devices = [job.device] if job.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive(job.seed, "step"))
        before = Training(replace(job, tasks=pretrain, train=train))
        fresh = Model(job.architecture, job.data.outline.only(job.tasks), job.seed)
        fresh.start_from(before.model.trunk(), freeze)  # raises before any training where one is not for the other
        before.fit()
        torch.manual_seed(derive(job.seed, "step"))  # dropout as in training from scratch
        found = Training(replace(job, init_from=Start(before.model.trunk(), freeze))).run()
    return [_of_both(record, before.seconds) for record in found] + [
        Record("pretrain_seconds", before.seconds, unit="s", higher_is_better=False),
        Record("pretrain_epochs", len(before.epochs)),
    ]


def _of_both(record: Record, seconds: float) -> Record:
    """Training time with that of pre-training, which the result cost too."""
    return replace(record, value=record.value + seconds) if record.metric == "train_seconds" else record
