"""Pre-training, and training that starts from what it learned."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from ..core.errors import MtlbenchError
from ..core.record import Record
from ..core.seeding import derive
from ..engine.model import Model
from .base import Job
from .training import Training


def transfer(job: Job, pretrain: tuple[str, ...], epochs: int, freeze: bool) -> list[Record]:
    """Train on the tasks of ``pretrain``, then on the job's own from that trunk; the records of the latter."""
    train = job.train.model_copy(update={"epochs": epochs})
    devices = [job.device] if job.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive(job.seed, "step"))
        before = Training(replace(job, tasks=pretrain, train=train))
        _check_alike(before.model, Model(job.architecture, job.data.outline.only(job.tasks), job.seed))
        before.fit()
        torch.manual_seed(derive(job.seed, "step"))  # dropout as in training from scratch
        found = FineTuning(job, before.model, freeze).run()
    return [_of_both(record, before.seconds) for record in found] + [
        Record("pretrain_seconds", before.seconds, unit="s", higher_is_better=False),
        Record("pretrain_epochs", len(before.epochs)),
    ]


class FineTuning(Training):
    """Training from another model's shared parameters, which stay as they are where ``freeze`` says so."""

    def __init__(self, job: Job, trained: Model, freeze: bool) -> None:
        self.trained, self.freeze = trained, freeze
        super().__init__(job)

    def build(self) -> Model:
        """A new model with the trained trunk."""
        model = super().build()
        for part, trained in zip(_trunk(model), _trunk(self.trained), strict=True):
            part.load_state_dict(trained.state_dict())
            if self.freeze:
                part.requires_grad_(False)
        return model

    def train_mode(self) -> None:
        """A frozen trunk is a fixed function: without dropout, and with the statistics that it has."""
        super().train_mode()
        for part in _trunk(self.model) if self.freeze else ():
            part.eval()


def _trunk(model: Model) -> list[nn.Module]:
    return [part for part in (model.front, model.shared) if part is not None]


def _check_alike(trained: Model, fresh: Model) -> None:
    """Raise, before any training, where one model's shared parameters are not for the other."""
    have, want = ([_shapes(part) for part in _trunk(model)] for model in (trained, fresh))
    if not any(want) and not any(have):
        raise MtlbenchError("transfer expects an architecture that shares parameters between tasks, got one without: "
                            "use architecture shared")  # fmt: skip
    if have != want:
        found = {name for one, other in zip(have, want, strict=True) for name, _ in one.items() ^ other.items()}
        raise MtlbenchError(
            "transfer expects shared parameters that do not depend on the tasks, got others for pre-training and "
            f"fine-tuning: {', '.join(sorted(found)[:3])}: use an architecture with one trunk, as shared"
        )


def _shapes(part: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in part.state_dict().items()}


def _of_both(record: Record, seconds: float) -> Record:
    """Training time with that of pre-training, which the result cost too."""
    return replace(record, value=record.value + seconds) if record.metric == "train_seconds" else record
