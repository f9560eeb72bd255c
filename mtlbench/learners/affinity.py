"""Gradient training that also measures how tasks affect each other; the loop itself is in ``loops/probing.py``."""

from __future__ import annotations

from pydantic import Field

from ..core.record import Record
from ..core.seeding import derive
from .base import Job, Learner


class Affinity(Learner):
    """Gradient training that also measures gradient cosines and lookahead affinities between tasks as it goes.

    Measured after every epoch, on the first batches of the next one. With g_i the gradient of L_i with respect to the
    shared parameters, cosine(i, j) = g_i'g_j / (|g_i| |g_j|), and the affinity of i onto j is
    1 - L_j(theta - lr g_i) / L_j(theta), which is positive where a step for i helps j. Source: Fifty et al.,
    Efficiently Identifying Task Groupings for Multi-Task Learning, NeurIPS 2021, equation 1.

    Deviations: the paper looks ahead by the optimizer's update during training and averages over all steps; here the
    lookahead is a plain gradient step with the current lr, on a few batches per epoch, with dropout off. Training is
    that of ``gradient``. Nothing is measured where no parameter is shared.
    """

    batches: int = Field(2, ge=1, description="batches to measure on after every epoch")

    def run(self, job: Job) -> list[Record]:
        """The records of training, and "cosine" and "affinity" of every ordered pair of tasks after every epoch."""
        import torch

        from .loops.probing import Probing  # so that planning does not import torch

        devices = [job.device] if job.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(derive(job.seed, "step"))
            return Probing(job, self.batches).run()
