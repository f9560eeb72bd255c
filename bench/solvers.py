"""What solving for the task weights costs: the compiled solvers beside the torch reference.

    python bench/solvers.py [--blocks 20] [--threads 1]

First the call of a weighting as the trainer makes it, in microseconds, for Gramians of T tasks in conflict. Then whole
training steps in milliseconds (digits, MLP 64-32, batch 128, engine eager), beside equal weights. Contenders are
interleaved in one process (random A B B A blocks; the first block warms up); medians over blocks, with a 95 % bootstrap
interval of the ratio.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest import mock

import torch

from mtlbench.architectures.shared import Shared
from mtlbench.core.settings import Train
from mtlbench.engine import TABLE as ENGINES
from mtlbench.learners.base import Job
from mtlbench.learners.loops.training import Training
from mtlbench.measure.clock import interleave, speedup
from mtlbench.measure.load import ForeignLoad
from mtlbench.ops import backend
from mtlbench.ops.gramian import dot_products
from mtlbench.optim.adam import Adam
from mtlbench.optim.schedules import Constant
from mtlbench.problems.small.digits import Digits
from mtlbench.weightings import TABLE
from mtlbench.weightings.base import Shown

CPU, HERE = torch.device("cpu"), Path(__file__).parent
SOLVED = (
    "mgda", "pcgrad", "gradvac", "cagrad", "upgrad", "dualproj", "nash_mtl", "fairgrad", "imtl_g", "config",
    "aligned_mtl",
)  # fmt: skip
IN_STEPS = ("cagrad", "upgrad", "mgda", "nash_mtl", "fairgrad", "aligned_mtl")
TASKS = (2, 10, 40)


def by_reference(call: Callable[[], object]) -> Callable[[], object]:
    """The same without kernels."""

    def referred() -> None:
        with mock.patch.object(backend, "library", return_value=None):
            call()

    return referred


def weighs(name: str, tasks: int, calls: int) -> Callable[[], None]:
    """So many calls of a weighting."""
    draw = torch.Generator().manual_seed(tasks)
    jacobian = torch.randn(tasks, 1000, generator=draw)
    jacobian = jacobian - 0.9 * jacobian.mean(0)
    weighting = TABLE.build({"name": name})
    shown = Shown(torch.ones(tasks), dot_products(jacobian, jacobian))
    start = weighting.start(tuple(map(str, range(tasks))), CPU)

    def run() -> None:
        state = start
        for _ in range(calls):
            _, state = weighting.weigh(shown, state)

    return run


def solvers(blocks: int) -> None:
    print(f"\n{'weighting':<14}{'T':>4}{'torch, µs':>12}{'kernels, µs':>12}  torch / kernels [95 %]")
    few, many = 2, 50
    for tasks in TASKS:
        for name in SOLVED:
            load = ForeignLoad()
            contenders = {"torch": by_reference(weighs(name, tasks, few)), "kernels": weighs(name, tasks, many)}
            seconds = interleave(contenders, CPU, blocks)
            torchs, ours = ([x / n for x in seconds[key]] for key, n in (("torch", few), ("kernels", many)))
            times = f"{1e6 * median(torchs):>12,.0f}{1e6 * median(ours):>12,.1f}"
            ratio = speedup(torchs, ours)
            print(f"{name:<14}{tasks:>4}{times}  {ratio}  (others: {load.cores():.1f} cores)", flush=True)


def epochs_of(name: str) -> tuple[Callable[[], None], int]:
    """An epoch of training, and its steps."""
    data = Digits().load(0, HERE)
    job = Job(
        data=data,
        tasks=data.outline.names,
        architecture=Shared.from_plain({"hidden": [64, 32]}),
        weighting=TABLE.build({"name": name}),
        engine=ENGINES.build({"name": "eager"}),
        optimizer=Adam(),
        schedule=Constant(),
        train=Train(batch_size=128),
        seed=0,
        device=CPU,
    )
    training = Training(job)
    return lambda: training.epoch(len(training.epochs) + 1), -(-data.train.size // 128)


def steps(blocks: int) -> None:
    contenders: dict[str, Callable[[], object]] = {}
    count = 1
    for name in ("equal", *IN_STEPS):
        epoch, count = epochs_of(name)
        contenders[name] = epoch
        if name != "equal":
            contenders[f"{name}, torch"] = by_reference(epochs_of(name)[0])
    load = ForeignLoad()
    seconds = interleave(contenders, CPU, blocks)
    print(
        f"\n{'ms a step':<14}{'torch':>10}{'kernels':>10}  kernels / equal [95 %]  (others: {load.cores():.1f} cores)"
    )
    print(f"{'equal':<14}{'':>10}{1e3 * median(seconds['equal']) / count:>10.2f}")
    for name in IN_STEPS:
        times = [1e3 * median(seconds[key]) / count for key in (f"{name}, torch", name)]
        print(f"{name:<14}{times[0]:>10.2f}{times[1]:>10.2f}  {speedup(seconds[name], seconds['equal'])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread(s), {os.cpu_count()} cores, {backend.backend().cpu}")
    solvers(options.blocks)
    steps(options.blocks)


if __name__ == "__main__":
    main()
