"""task_losses forward + backward through autograd, against eager PyTorch and torch.compile, interleaved.

    python bench/losses_quick.py [--threads 2] [--rounds 300] [--no-compile] [--case NAME]

Every round times each contender once, in random order, in one process; a row shows the median call time (Python
included) with its 10th and 90th percentile, and the ratio of medians to ours. Gradients are asserted on the timed
tensors first. Times mean nothing on a busy machine; ratios mean less.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mtlbench.ops.task_losses import task_losses

Losses = Callable[[list[Tensor]], Tensor]

CASES: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "4 x (256x10)": ("cross_entropy", 4, (256, 10)),
    "40 x (256x2)": ("cross_entropy", 40, (256, 2)),
    "4 x (4096x100)": ("cross_entropy", 4, (4096, 100)),
    "2 x (2048x1000)": ("cross_entropy", 2, (2048, 1000)),
    "1 x (4x19x128x128)": ("cross_entropy", 1, (4, 19, 128, 128)),
    "8 x bce (1024x1)": ("bce_with_logits", 8, (1024, 1)),
    "4 x bce (4096x100)": ("bce_with_logits", 4, (4096, 100)),
    "8 x mse (256x4)": ("mse", 8, (256, 4)),
    "1 x l1 (8x1x256x256)": ("l1", 1, (8, 1, 256, 256)),
    "1 x cosine (8x3x128x128)": ("cosine", 1, (8, 3, 128, 128)),
}

TORCH: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "cosine": lambda output, target: (1 - F.cosine_similarity(output, target, dim=1)).mean(),
}


def make_target(kind: str, shape: tuple[int, ...]) -> Tensor:
    if kind == "cross_entropy":
        return torch.randint(0, shape[1], (shape[0], *shape[2:]))
    return torch.rand(shape) if kind == "bce_with_logits" else torch.randn(shape)


def contenders(kind: str, tasks: int, shape: tuple[int, ...], compiled: bool) -> tuple[list[Tensor], dict[str, Losses]]:
    outputs = [torch.randn(shape, requires_grad=True) for _ in range(tasks)]
    targets = [make_target(kind, shape) for _ in range(tasks)]
    weights = torch.rand(tasks)
    kinds = [kind] * tasks
    function = TORCH[kind]

    def eager(outputs: list[Tensor]) -> Tensor:
        losses = torch.stack([function(output, target) for output, target in zip(outputs, targets, strict=True)])
        return torch.dot(weights, losses)

    def ours(outputs: list[Tensor]) -> Tensor:
        return task_losses(outputs, targets, kinds, weights)[0]

    found: dict[str, Losses] = {"ours": ours, "eager": eager}
    if compiled:
        found["compiled"] = torch.compile(eager)
    return outputs, found


def one_call(outputs: list[Tensor], losses: Losses) -> None:
    for output in outputs:
        output.grad = None
    losses(outputs).backward()  # type: ignore[no-untyped-call]


def check(outputs: list[Tensor], found: dict[str, Losses]) -> None:
    gradients = {}
    for name, losses in found.items():
        one_call(outputs, losses)
        gradients[name] = [output.grad.clone() for output in outputs if output.grad is not None]
    for name, tensors in gradients.items():
        for ours, theirs in zip(gradients["ours"], tensors, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-8, msg=lambda m, name=name: f"{name}: {m}")


def measure(outputs: list[Tensor], found: dict[str, Losses], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in found}
    for name in found:
        for _ in range(10):
            one_call(outputs, found[name])
    order = list(found)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            start = time.perf_counter()
            one_call(outputs, found[name])
            times[name].append((time.perf_counter() - start) * 1e6)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--case", choices=CASES)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    for name, (kind, tasks, shape) in CASES.items():
        torch._dynamo.reset()
        if options.case not in (None, name):
            continue
        outputs, found = contenders(kind, tasks, shape, not options.no_compile)
        check(outputs, found)
        times = measure(outputs, found, options.rounds)
        middle = {contender: statistics.median(values) for contender, values in times.items()}
        for contender, values in times.items():
            tenth, *_, ninetieth = statistics.quantiles(values, n=10)
            ratio = middle[contender] / middle["ours"]
            print(
                f"{name:26} {contender:9} {middle[contender]:9.1f} us  [{tenth:.1f}, {ninetieth:.1f}]  {ratio:5.2f} x"
            )


if __name__ == "__main__":
    main()
