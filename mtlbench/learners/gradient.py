"""Gradient training as an entry of the table; the loop itself is in ``loops/training.py``."""

from __future__ import annotations

from ..core.record import Record
from ..core.seeding import derive
from .base import Job, Learner


class Gradient(Learner):
    """Gradient training of a network: the weighting combines the task losses, the engine runs the steps."""

    def run(self, job: Job) -> list[Record]:
        """Train, evaluate, report; bitwise reproducible on a CPU, timings aside. Raises Diverged, TimedOut."""
        import torch

        from .loops.training import Training  # so that planning does not import torch

        devices = [job.device] if job.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(derive(job.seed, "step"))
            return Training(job).run()
