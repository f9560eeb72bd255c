"""A whole training step (MLP 64-128-128, 4 heads of 10, batch 256) by every engine, interleaved.

    python bench/heads_quick.py [--threads 1] [--rounds 300]

Every round times each engine once, in random order, in one process; `fused` takes step_heads_ for its heads, `fused -`
does not. A row shows the median with its 10th and 90th percentile, and its ratio to `fused` (median of the ratios
within a round). Times mean nothing on a busy machine; ratios mean less.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from unittest import mock

import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.engine import TABLE
from mtlbench.engine.batches import Batch
from mtlbench.engine.heads import LinearHeads
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.optim import OPTIMIZERS
from mtlbench.weightings import TABLE as WEIGHTINGS

ENGINES = ("fused", "fused -", "eager", "foreach", "torch_fused", "compiled")


def step_of(engine: str) -> Callable[[], object]:
    names = tuple(f"task{t}" for t in range(4))
    outline = Outline(tuple(TaskSpec(name, 10, "cross_entropy") for name in names), input_shape=(64,), rows=256)
    torch.manual_seed(0)
    model = Model(ARCHITECTURES.build({"name": "shared", "trunk": "mlp", "hidden": [128, 128]}), outline, 0)
    built = TABLE.build({"name": engine.removesuffix(" -")})
    method = WEIGHTINGS.build({"name": "equal"})
    state = method.start(names, torch.device("cpu"))
    optimizer = OPTIMIZERS.build({"name": "adam"}).build(model.parameters(), (), built.choices.update)
    with mock.patch.object(LinearHeads, "of", (lambda *_: None) if engine.endswith("-") else LinearHeads.of):
        step = Step(built, model, outline, method, state, optimizer)
    batch = Batch(torch.randn(256, 64), [torch.randint(0, 10, (256,)) for _ in names], None, torch.full((4,), 256), 256)
    return lambda: step(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--no-compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = [name for name in ENGINES if not (options.no_compile and name == "compiled")]
    steps = {name: step_of(name) for name in names}
    for step in steps.values():
        for _ in range(10):
            step()
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in random.sample(names, len(names)):
            start = time.perf_counter()
            steps[name]()
            times[name].append((time.perf_counter() - start) * 1e6)
    print(f"torch {torch.__version__}, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    for name, values in times.items():
        low, middle, high = (statistics.quantiles(values, n=10)[i] for i in (0, 4, 8))
        ratio = statistics.median(other / own for other, own in zip(values, times["fused"], strict=True))
        print(f"{name:12} {middle:8.0f} us  [{low:.0f}, {high:.0f}]  {ratio:.2f}x fused")


if __name__ == "__main__":
    main()
