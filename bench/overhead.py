"""What the harness costs: our trainer beside a bare PyTorch loop, and the share of a trial that is not training.

    python bench/overhead.py [--blocks 20] [--trials 5] [--threads 1]

Throughput: both train the same model on the same rows with the same optimizer, interleaved in one process (random
A B B A blocks of one epoch each; the first block warms up). The ratio is ours over bare, median over blocks with a 95 %
bootstrap interval; the goal is at least 0.95.

Overhead: seconds of whole trials (loading, evaluation after every epoch, records), less the seconds of their training
epochs, as a share of the whole. The process is warm: what its first trial imports is not counted. The goal is below
10 % for trials of 2 seconds.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mtlbench.architectures.shared import Shared
from mtlbench.core.settings import Train
from mtlbench.core.task import Data, Outline, Split, TaskSpec
from mtlbench.core.trial import TrainTrial
from mtlbench.engine import TABLE as ENGINES
from mtlbench.learners.base import Job
from mtlbench.learners.loops.training import Training
from mtlbench.measure.clock import interleave, speedup
from mtlbench.measure.load import ForeignLoad
from mtlbench.optim.adam import Adam
from mtlbench.optim.schedules import Constant
from mtlbench.problems.small.digits import Digits
from mtlbench.runner.trial import execute
from mtlbench.weightings.losses import Equal

CPU, HERE = torch.device("cpu"), Path(__file__).parent
LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "mse": F.mse_loss,
}


@dataclass(frozen=True)
class Case:
    """A problem with a model for it."""

    name: str
    data: Data
    hidden: tuple[int, ...]
    batch_size: int


def digits() -> Data:
    return Digits().load(0, HERE)


def wide() -> Data:
    """Random rows in the shape of MNIST with five tasks: only the time matters."""
    chance = np.random.default_rng(0)
    kinds = ("cross_entropy", "cross_entropy", "bce_with_logits", "mse", "mse")
    tasks = tuple(TaskSpec(f"t{i}", 10 if kind == "cross_entropy" else 1, kind) for i, kind in enumerate(kinds))

    def split(rows: int) -> Split:
        draw: dict[str, Callable[[], Any]] = {
            "cross_entropy": lambda: chance.integers(10, size=rows),
            "bce_with_logits": lambda: chance.integers(2, size=rows).astype("float32"),
            "mse": lambda: chance.standard_normal((rows, 1)).astype("float32"),
        }
        inputs = chance.standard_normal((rows, 784)).astype("float32")
        return Split(inputs, {task.name: draw[task.loss]() for task in tasks})

    return Data(Outline(tasks, (784,), 4096), split(4096), split(256), split(256))


CASES = (
    Case("digits, MLP 64-128-64, batch 128", digits(), (128, 64), 128),
    Case("784-256-256, 5 tasks, batch 256", wide(), (256, 256), 256),
)


class Bare:
    """The loop one would write by hand."""

    def __init__(self, case: Case, update: dict[str, Any]) -> None:
        train, shape = case.data.train, case.data.outline.input_shape
        assert isinstance(train, Split)
        assert isinstance(shape, tuple)
        (features,) = shape
        sizes = (features, *case.hidden)
        layers = [(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(sizes)]
        self.trunk = nn.Sequential(*(layer for pair in layers for layer in pair))
        self.tasks = case.data.outline.tasks
        self.heads = nn.ModuleList(nn.Linear(sizes[-1], task.outputs) for task in self.tasks)
        parameters = [*self.trunk.parameters(), *self.heads.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=1e-3, **update)
        self.inputs = torch.from_numpy(train.inputs)
        self.targets = [torch.from_numpy(train.targets[task.name]) for task in self.tasks]
        self.batch_size = case.batch_size

    def epoch(self) -> float:
        """One pass in a new random order; the mean loss, as one would log it."""
        order = torch.randperm(len(self.inputs))
        total = torch.zeros(())
        for low in range(0, len(order), self.batch_size):
            rows = order[low : low + self.batch_size]
            features = self.trunk(self.inputs[rows])
            losses = []
            for task, head, target in zip(self.tasks, self.heads, self.targets, strict=True):
                output = head(features)
                output = output.squeeze(1) if task.loss == "bce_with_logits" else output
                losses.append(LOSSES[task.loss](output, target[rows]))
            loss = sum(losses, torch.zeros(())) / len(losses)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        return float(total)


def ours(case: Case, engine: str) -> Callable[[], None]:
    """An epoch of our trainer, with all that it records."""
    job = Job(
        data=case.data,
        tasks=case.data.outline.names,
        architecture=Shared.from_plain({"hidden": list(case.hidden)}),
        weighting=Equal(),
        engine=ENGINES.build({"name": engine}),
        optimizer=Adam(),
        schedule=Constant(),
        train=Train(batch_size=case.batch_size),
        seed=0,
        device=CPU,
    )
    training = Training(job)
    return lambda: training.epoch(len(training.epochs) + 1)


def throughput(blocks: int) -> None:
    print(f"\n{'samples/s':<48}{'ours':>10}{'bare':>10}  ours / bare [95 %]")
    for case in CASES:
        for engine, update in (("eager", {"foreach": False}), ("torch_fused", {"fused": True})):
            load = ForeignLoad()
            contenders = {"ours": ours(case, engine), "bare": Bare(case, update).epoch}
            seconds = interleave(contenders, CPU, blocks)
            ratio = speedup(seconds["bare"], seconds["ours"])
            rates = [case.data.train.size / median(seconds[name]) for name in ("ours", "bare")]
            label = f"{case.name}, {engine}"
            print(f"{label:<48}{rates[0]:>10,.0f}{rates[1]:>10,.0f}  {ratio}  (others: {load.cores():.1f} cores)")


def overhead(trials: int) -> None:
    trial = TrainTrial(
        problem={"name": "digits"},
        tasks=("digit", "parity", "loops"),
        parts={
            "learner": {"name": "gradient"},
            "architecture": {"name": "shared"},
            "weighting": {"name": "equal"},
            "optimizer": {"name": "adam"},
            "schedule": {"name": "constant"},
            "penalty": {"name": "none"},
            "heads": {"rule": "own"},
            "train": {"epochs": 3},
            "start": {},
        },
        engine="eager",
        seed=0,
        threads=torch.get_num_threads(),
    )
    warm = execute(trial, HERE, 1, None, True)
    epochs = max(1, int(2.0 / median(r.value for r in warm.records if r.metric == "epoch_seconds")))
    shares = []
    print()
    for seed in range(trials):
        result = execute(replace(trial.with_parts(train={"epochs": epochs}), seed=seed), HERE, 1, None, True)
        (training,) = [record.value for record in result.records if record.metric == "train_seconds"]
        shares.append(1 - training / result.seconds)
        print(f"trial of {epochs} epochs: {result.seconds:.2f} s, training {training:.2f} s, rest {shares[-1]:.1%}")
    print(f"share outside training: median {median(shares):.1%} of {trials} trials")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread(s), {os.cpu_count()} cores")
    throughput(options.blocks)
    overhead(options.trials)


if __name__ == "__main__":
    main()
