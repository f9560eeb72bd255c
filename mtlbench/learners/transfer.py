"""Transfer from some tasks of a problem to others; the training itself is in ``loops/finetuning.py``."""

from __future__ import annotations

from pydantic import Field

from ..core.errors import did_you_mean
from ..core.record import Record
from ..core.task import Outline
from .base import Job, Learner


class Transfer(Learner):
    """Pre-trains on some tasks of the problem, keeps the trunk, and fine-tunes it with fresh heads on the target tasks.

    theta, psi_s <- argmin sum_s lambda_s L_s over the tasks s of ``pretrain``; then, from that theta and from heads
    psi_t initialised as when training from scratch, theta, psi_t <- argmin sum_t lambda_t L_t over ``target``. Both
    stages use the trial's optimizer, schedule, weighting and early stopping, each restarted, and the same rows in the
    same order as training from scratch. ``train_seconds`` covers both stages.

    Source: Yosinski et al., How transferable are features in deep neural networks?, NeurIPS 2014. Deviation: all
    shared parameters are transferred at once, where the paper also transfers the first n layers only.
    """

    target: tuple[str, ...] = Field((), description="tasks to fine-tune on and report; the last unless given")
    pretrain: tuple[str, ...] = Field((), description="tasks to pre-train on; all others unless given")
    epochs: int | None = Field(None, ge=1, description="of pre-training, at most; those of train unless given")
    freeze: bool = Field(False, description="whether fine-tuning leaves the trunk as it is")

    @classmethod
    def uses(cls, part: str) -> bool:
        """All but ``init_from``: pre-training starts from random weights."""
        return part != "init_from"

    def check(self, outline: Outline) -> list[str]:
        """Reports tasks that do not exist, are repeated or are on both sides, and a lack of tasks to pre-train on."""
        tasks = outline.names
        if len(tasks) < 2:
            return ["expected a problem of two or more tasks, to pre-train on some and fine-tune on others, got "
                    f"{', '.join(tasks)} alone: use learner gradient"]  # fmt: skip
        sides = (("target", self.target), ("pretrain", self.pretrain))
        unknown = [(key, name) for key, names in sides for name in names if name not in tasks]
        if unknown:
            return [f"{key}: unknown task '{name}', {did_you_mean(name, tasks)}" for key, name in unknown]
        repeated = [(key, name) for key, names in sides for name in sorted(set(names)) if names.count(name) > 1]
        if repeated:
            return [f"{key}: expected every task once, got {name} twice" for key, name in repeated]
        before, after = self.stages(tasks)
        both = [name for name in before if name in after]
        if both:
            return [f"pretrain: expected tasks other than the target's, got {', '.join(both)} on both sides"]
        return [] if before else ["pretrain: expected a task to pre-train on, got none: target is all of them"]

    def stages(self, tasks: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """The tasks of pre-training and those of fine-tuning, in the order of the problem."""
        target = self.target or tasks[-1:]
        chosen = self.pretrain or tuple(name for name in tasks if name not in target)
        return tuple(name for name in tasks if name in chosen), tuple(name for name in tasks if name in target)

    def run(self, job: Job) -> list[Record]:
        """The records of fine-tuning, and the cost of pre-training. Raises what ``gradient`` raises."""
        from .loops.finetuning import transfer  # so that planning does not import torch

        before = self.stages(job.data.outline.names)[0]
        return transfer(job, before, self.epochs or job.train.epochs, self.freeze)
