"""How much faster than torch are weighted_adam_ and gramian here? Call time, Python included, in one process.

    python bench/kernels_quick.py [--threads 2] [--rounds 15] [--only adam] [--compile]

Contenders run in random order within each round; a figure is the median over the rounds of a round's mean time, with
the spread between the 10th and the 90th percentile. Results are compared before they are timed.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from mtlbench.fused_adam import FusedAdam
from mtlbench.ops.gramian import gramian

Contenders = dict[str, Callable[[], object]]
SMALL = [(64, 64), (64,)] * 100
TINY = [(1000,)] * 2000
LARGE = [(4_000_000,)] * 8


@dataclass(frozen=True)
class Row:
    """One line of the table: what is done, how often a round, and the least ratio to the best of torch."""

    name: str
    repeat: int
    target: float
    make: Callable[[], Contenders]


def parameters(shapes: list[tuple[int, ...]]) -> list[torch.nn.Parameter]:
    random_numbers = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=random_numbers)) for shape in shapes]


def adam(shapes: list[tuple[int, ...]], peers: tuple[str, ...] = ("fused",)) -> Contenders:
    ours = parameters(shapes)
    gradients = [torch.randn_like(p) for p in ours]
    contenders: Contenders = {}
    for name in ("ours", *peers):
        params = ours if name == "ours" else parameters(shapes)
        for p, g in zip(params, gradients, strict=True):
            p.grad = g
        options = {"ours": {}, "loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
        optimizer = FusedAdam(params) if name == "ours" else torch.optim.Adam(params, **options[name])
        optimizer.step()
        assert all(torch.allclose(p, q, atol=1e-6) for p, q in zip(ours, params, strict=True)), name
        contenders[name] = optimizer.step
    return contenders


def combination(shapes: list[tuple[int, ...]], tasks: int, compiled: bool) -> Contenders:
    ours, theirs = parameters(shapes), parameters(shapes)
    gradients = [[torch.randn(shape) for shape in shapes] for _ in range(tasks)]
    weights = torch.rand(tasks)
    mine, peer = FusedAdam(ours), torch.optim.Adam(theirs, fused=True)

    def foreach() -> None:
        values = weights.tolist()
        combined = torch._foreach_mul(gradients[0], values[0])
        for value, of_task in zip(values[1:], gradients[1:], strict=True):
            torch._foreach_add_(combined, of_task, alpha=value)
        update(combined)

    @torch.compile(fullgraph=True)
    def combine(lists: list[list[torch.Tensor]], weights: torch.Tensor) -> list[torch.Tensor]:
        return [sum(w * g for w, g in zip(weights, own, strict=True)) for own in zip(*lists, strict=True)]

    def update(combined: list[torch.Tensor]) -> None:
        for p, g in zip(theirs, combined, strict=True):
            p.grad = g
        peer.step()

    def step() -> None:
        mine.step(task_gradients=gradients, task_weights=weights)

    step()
    foreach()  # where the weighted gradients cancel to nothing their sign is a matter of rounding, and Adam takes it
    assert all((p - q).abs().mean() < 1e-6 for p, q in zip(ours, theirs, strict=True))
    contenders: Contenders = {"ours": step, "foreach + fused": foreach}
    if compiled:
        contenders["compiled + fused"] = lambda: update(combine(gradients, weights))
    return contenders


def gram(tasks: int, shapes: list[tuple[int, ...]]) -> Contenders:
    gradients = [[torch.randn(shape) for shape in shapes] for _ in range(tasks)]

    def stacked() -> torch.Tensor:
        jacobian = torch.stack([torch.cat([g.reshape(-1) for g in of_task]) for of_task in gradients])
        return jacobian @ jacobian.T

    def one_by_one() -> torch.Tensor:
        parts = (torch.stack([g.reshape(-1) for g in own]) for own in zip(*gradients, strict=True))
        return sum((part @ part.T for part in parts), torch.zeros(tasks, tasks))

    doubles = (torch.stack([g.double().reshape(-1) for g in own]) for own in zip(*gradients, strict=True))
    exact = sum((part @ part.T for part in doubles), torch.zeros(tasks, tasks, dtype=torch.float64))
    assert torch.allclose(gramian(gradients).double(), exact, rtol=1e-5, atol=1.0)
    return {"ours": lambda: gramian(gradients), "stack + matmul": stacked, "by parameter": one_by_one}


def rows(compiled: bool) -> Iterator[Row]:
    yield Row("Adam, 100 of 64x64 and 100 of 64", 10, 4.0, lambda: adam(SMALL, ("loop", "foreach", "fused")))
    yield Row("Adam, 2000 x 1k", 1, 6.0, lambda: adam(TINY))
    yield Row("Adam, 8 x 4M", 1, 0.95, lambda: adam(LARGE))
    yield Row("T = 4 combined + Adam, 2000 x 1k", 1, 5.0, lambda: combination(TINY, 4, False))
    yield Row("T = 4 combined + Adam, 8 x 4M", 1, 1.1, lambda: combination(LARGE, 4, compiled))
    yield Row("Gramian, T = 8, 8 x 1M", 1, 1.5, lambda: gram(8, [(1_000_000,)] * 8))
    yield Row("Gramian, T = 4, 2000 x 1k", 1, 1.5, lambda: gram(4, TINY))


def measure(contenders: Contenders, rounds: int, repeat: int) -> dict[str, list[float]]:
    """Microseconds of each contender in each round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for work in contenders.values():
        work()
    for _ in range(rounds):
        for name in random.sample(list(contenders), len(contenders)):
            start = time.perf_counter()
            for _ in range(repeat):
                contenders[name]()
            times[name].append((time.perf_counter() - start) / repeat * 1e6)
    return times


def show(row: Row, times: dict[str, list[float]]) -> None:
    median = {name: statistics.median(values) for name, values in times.items()}
    best = min((name for name in median if name != "ours"), key=lambda name: median[name])
    ratio = statistics.median(b / a for a, b in zip(times["ours"], times[best], strict=True))
    verdict = "ok" if ratio >= row.target else "SHORT"
    print(f"{row.name:36} {ratio:6.2f}x of {best:18} target {row.target:4}x  {verdict}")
    for name, values in times.items():
        tenth, *_, ninetieth = statistics.quantiles(values, n=10)
        print(f"    {name:20} {median[name]:12,.0f} us   ({tenth:,.0f} .. {ninetieth:,.0f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="")
    parser.add_argument("--compile", action="store_true", help="torch.compile's combination as well (a minute more)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"threads {options.threads}, load average {os.getloadavg()[0]:.2f} before the start")
    for row in rows(options.compile):
        if options.only.lower() in row.name.lower():
            show(row, measure(row.make(), options.rounds, row.repeat))


if __name__ == "__main__":
    main()
