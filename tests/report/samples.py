"""Realistic input for report tests: what the store would hand over after a run. Seeded, so equal every time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mtlbench.report.evidence.statistics import Array

Row = dict[str, Any]  # one record or trial of the store
Frames = tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], dict[str, Any]]
Spec = tuple[str, str, bool, float, float]  # main metric, unit, higher is better, single-task value, spread over seeds
TASKS: dict[str, Spec] = {
    "digit": ("accuracy", "%", True, 96.8, 0.5),
    "parity": ("accuracy", "%", True, 97.6, 0.4),
    "ink": ("rmse", "", False, 11.2, 0.35),
}
SIDE_METRICS = (("balanced_accuracy", "%", True, 0.99), ("macro_f1", "%", True, 0.985))
SPEEDS = {"eager": 1.0, "foreach": 1.15, "torch_fused": 1.3, "compiled": 1.7, "fused": 2.3}
LABELS = (
    "trial", "kind", "suite", "problem", "method", "baseline", "architecture", "weighting", "engine", "optimizer",
    "seed", "attempt", "environment", "role", "reference", "point", "choice",
)  # fmt: skip


@dataclass
class Sample:
    """Frames as the store makes them."""

    records: list[Row] = field(default_factory=list)
    trials: list[Row] = field(default_factory=list)
    environments: dict[str, Any] = field(default_factory=lambda: {"e1": dict(ENVIRONMENT)})
    suite: dict[str, Any] = field(default_factory=dict)

    def frames(self) -> Frames:
        columns = [*LABELS, "split", "task", "other", "metric", "value", "unit", "higher_is_better", "step", "main"]
        records = pd.DataFrame(self.records, columns=columns)
        records = records.astype({"value": "float64", "higher_is_better": "boolean"})
        return records, pd.DataFrame(self.trials), self.environments, self.suite


ENVIRONMENT: dict[str, Any] = {
    "versions": {"python": "3.11.7", "mtlbench": "0.1.0", "torch": "2.13.0"},
    "revision": "0b4b0430f0a1",
    "system": "Linux 6.1 x86_64",
    "cpu": "AMD EPYC 7B13",
    "cpu_features": ["avx2", "fma"],
    "cores": 2,
    "gpus": [],
}


def sample(
    methods: dict[str, float] | int = 5,
    problems: Sequence[str] = ("digits",),
    tasks: Mapping[str, Spec] = TASKS,
    engines: Sequence[str] = ("eager",),
    seeds: int = 5,
    epochs: int = 8,
    alone: bool = True,
) -> Sample:
    """``methods``: name -> true gain in percent of every task, or how many to make up."""
    if isinstance(methods, int):
        methods = made_up(methods)
    made = Sample()
    made.suite = {
        "suite": "quickstart",
        "description": "Three kinds of loss on real handwritten digits: does one trunk for all beat one each?",
        "seeds": seeds,
        "methods": {name: {"weighting": name} for name in methods},
        "command": "mtlbench run bench/suites/quickstart.yaml",
    }
    for problem in problems:
        for seed in range(seeds):
            split = np.random.default_rng([seed, len(problem)]).normal(size=len(tasks))  # shared: seeds are paired
            for i, name in enumerate(tasks):
                _single(made, problem, name, i, tasks, seed, split, epochs, alone)
            for engine in engines:
                for number, (method, gain) in enumerate(methods.items()):
                    _joint(made, problem, method, number, gain, engine, tasks, seed, split, epochs, alone)
    return made


def made_up(count: int) -> dict[str, float]:
    known = {"equal": 0.4, "uncertainty": 1.6, "dwa": 0.1, "random": -2.5, "famo": 1.1, "stch": -0.6, "imtl_l": 0.9}
    names = [*known, *(f"method_{i:02d}" for i in range(len(known), count))][:count]
    rng = np.random.default_rng(3)
    return {name: known.get(name, float(rng.normal(0, 1.2))) for name in names}


def _trial(
    made: Sample,
    problem: str,
    method: str,
    tasks: Iterable[str],
    engine: str,
    seed: int,
    *,
    baseline: bool = False,
    alone: bool = True,
    weighting: str = "",
) -> Row:
    row = {
        "trial": f"{problem}/{method}/{','.join(tasks)}/{engine}/{seed}", "kind": "train", "suite": "quickstart",
        "problem": problem, "method": method, "baseline": baseline, "architecture": "single" if baseline else "shared",
        "weighting": weighting or "equal", "engine": engine, "optimizer": "adam", "seed": seed, "attempt": 1,
        "environment": "e1",
    }  # fmt: skip
    exclusive = alone and seed == 0
    made.trials.append(
        row
        | {"tasks": tuple(tasks), "status": "ok", "error": "", "traceback": "", "shared": not exclusive,
           "exclusive": exclusive, "seconds": 2.1, "notes": (), "settings": settings(row)}
    )  # fmt: skip
    return row


def settings(row: Row, **parts: Any) -> str:
    """The parts of a trial's method as the store hands them over: plain ones, but for those that are given."""
    plain = {"learner": "gradient", "schedule": "constant", "penalty": "none"}
    plain |= {part: row[part] for part in ("architecture", "weighting", "optimizer")}
    return json.dumps({part: {"name": name} for part, name in plain.items()} | {"start": {}} | parts)


def _add(
    made: Sample,
    row: Row,
    split: str,
    task: str,
    metric: str,
    value: float,
    step: int = 0,
    unit: str = "",
    higher: bool | None = None,
    main: bool = False,
    other: str = "",
) -> None:
    facts = {"split": split, "task": task, "other": other, "metric": metric, "value": value, "unit": unit}
    made.records.append(row | facts | {"higher_is_better": higher, "step": step, "main": main})


def _results(
    made: Sample,
    row: Row,
    task: str,
    spec: Spec,
    value: float,
    epochs: int,
    rng: np.random.Generator,
    weights: Callable[[int], float] | None = None,
) -> None:
    """Curves that approach ``value``, and the test metrics."""
    metric, unit, higher, _, _ = spec
    start = value * (0.55 if higher else 2.4)
    for epoch in range(epochs + 1):
        near = 1 - np.exp(-epoch / 2.2)
        noise = 0.004 * value * rng.normal()
        _add(made, row, "validation", task, metric, start + (value - start) * near + noise, epoch, unit, higher, True)
        _add(made, row, "validation", task, "loss", 2.1 * (1 - 0.93 * near), epoch)
        if epoch:
            _add(made, row, "train", task, "loss", 2.1 * (1 - 0.95 * near) * (1 + 0.03 * rng.normal()), epoch)
            if weights is not None:
                _add(made, row, "train", task, "weight", weights(epoch), epoch)
    _add(made, row, "test", task, metric, value, epochs, unit, higher, True)
    _add(made, row, "test", task, "loss", 0.12 * (1 + 0.05 * rng.normal()), epochs)
    if unit == "%":
        for name, other_unit, other_higher, share in SIDE_METRICS:
            _add(made, row, "test", task, name, value * share, epochs, other_unit, other_higher)


def _costs(made: Sample, row: Row, rate: float, parameters: int, rng: np.random.Generator) -> None:
    rate *= 1 + 0.01 * rng.normal()
    for metric, value, unit in (
        ("samples_per_second", rate, "1/s"), ("step_seconds", 128 / rate, "s"), ("train_seconds", 10_000 / rate, "s"),
        ("peak_memory", 310e6 + parameters * 12, "B"), ("parameters", parameters, ""), ("epochs", 8, ""),
    ):  # fmt: skip
        _add(made, row, "train" if metric in ("samples_per_second", "step_seconds") else "", "", metric, value, 0, unit)


def _single(
    made: Sample,
    problem: str,
    name: str,
    i: int,
    tasks: Mapping[str, Spec],
    seed: int,
    split: Array,
    epochs: int,
    alone: bool,
) -> None:
    rng = np.random.default_rng([seed, i, 11])
    row = _trial(made, problem, "single-task", (name,), "eager", seed, baseline=True, alone=alone)
    spec = tasks[name]
    value = spec[3] + spec[4] * (0.8 * split[i] + 0.6 * rng.normal())
    _results(made, row, name, spec, value, epochs, rng)
    _costs(made, row, 52_000, 17_226, rng)


def _joint(
    made: Sample,
    problem: str,
    method: str,
    number: int,
    gain: float,
    engine: str,
    tasks: Mapping[str, Spec],
    seed: int,
    split: Array,
    epochs: int,
    alone: bool,
) -> None:
    rng = np.random.default_rng([seed, number, 12])  # the same for every engine: they differ in speed alone
    row = _trial(made, problem, method, tuple(tasks), engine, seed, alone=alone, weighting=method)
    for i, (name, spec) in enumerate(tasks.items()):
        value = spec[3] * (1 + (gain if spec[2] else -gain) / 100) + spec[4] * (0.8 * split[i] + 0.6 * rng.normal())
        drift = 0.0 if method == "equal" else 0.12 * (i - 1) * (1 + number % 3)

        def weight(epoch: int, drift: float = drift) -> float:
            return 1 / len(tasks) + drift * (1 - float(np.exp(-epoch / 3)))

        _results(made, row, name, spec, value, epochs, rng, weight)
    speed = SPEEDS.get(engine, 1.0) * (1 - 0.04 * (number % 4)) * (0.35 if number % 7 == 6 else 1)
    _costs(made, row, 41_000 * speed, 18_402, np.random.default_rng([seed, number, len(engine)]))


def with_references(made: Sample, values: Mapping[str, Mapping[str, float]], problem: str = "digits") -> Sample:
    """The same run with references beside it: main test metrics by name and task, equal on every seed but for noise.

    References named ``constant`` are floors.
    """
    for row in (*made.records, *made.trials):
        row.setdefault("role", "")
    specs = {fact["task"]: fact for fact in made.records if fact["main"] and fact["split"] == "test"}
    for name, by_task in values.items():
        for seed in sorted({trial["seed"] for trial in made.trials if trial["problem"] == problem}):
            rng = np.random.default_rng([seed, len(name)])
            row = _trial(made, problem, name, tuple(by_task), "cpu", seed) | {"reference": True}
            learner = {"name": name}
            made.trials[-1] |= {"reference": True, "settings": settings(row, learner=learner)}
            for task, value in by_task.items():
                noisy = value * (1 + 1e-3 * rng.normal())
                spec = specs[task]
                unit, higher = spec["unit"], spec["higher_is_better"]
                _add(made, row, "test", task, spec["metric"], noisy, 0, unit, higher, main=True)
    return made


KERNELS: dict[str, tuple[float, dict[str, float]]] = {  # case: bytes of a call, microseconds of ours and of the others
    "adam 2000 x 1k": (56e6, {"fused": 2_000, "torch_fused": 15_000, "eager": 55_000}),
    "adam 8 x 4M": (896e6, {"fused": 22_000, "torch_fused": 20_000, "foreach": 61_000}),
    "training_step MLP": (0, {"fused": 640, "compiled": 820}),
}


def with_kernels(
    made: Sample, processes: int = 3, blocks: int = 6, devices: Sequence[str] = ("cpu",), shared: bool = False
) -> Sample:
    """The same run with kernels timed beside it."""
    for case, (size, micros) in KERNELS.items():
        for device in devices:
            for process in range(processes):
                _kernel(made, case, device, process, size, micros, blocks, shared)
    return made


def _kernel(
    made: Sample,
    case: str,
    device: str,
    process: int,
    size: float,
    micros: Mapping[str, float],
    blocks: int,
    shared: bool,
) -> None:
    rng = np.random.default_rng([process, len(case)])
    row = {
        "trial": f"{case}/{device}/{process}", "kind": "kernel", "suite": "quickstart", "problem": case,
        "method": "kernel", "baseline": False, "architecture": "", "weighting": "", "engine": device, "optimizer": "",
        "seed": process, "attempt": 1, "environment": "e1",
    }  # fmt: skip
    made.trials.append(
        row
        | {"tasks": (), "status": "ok", "error": "", "traceback": "", "shared": shared, "exclusive": True,
           "seconds": 9.0, "notes": ("apex was not timed: apex is not installed",)}
    )  # fmt: skip
    _add(made, row, "", "", "bytes", size, unit="B")
    for name, value in micros.items():
        _add(made, row, "", name, "ours", float(name == "fused"))
        for cache in ("warm", "cold") if size < 1e8 else ("cold",):
            for metric in ("call_seconds", *(["kernel_seconds"] if device == "cuda" else [])):
                for block in range(blocks):
                    seconds = value * 1e-6 * (1 + 0.02 * rng.normal()) * (2 if cache == "cold" else 1)
                    _add(made, row, cache, name, metric, seconds, block, "s", False)
                    if size and name == "fused":
                        _add(made, row, cache, "copy", metric, size / 40e9, block, "s", False)


def number(frame: pd.DataFrame, row: str | tuple[str, ...], column: str) -> float:
    """The number in a column of the one row that has this index."""
    return float(frame[column][frame.index == row].item())
